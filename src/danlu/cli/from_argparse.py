"""A study file from a script's `add_argument` calls, read without running it."""

from __future__ import annotations

import ast
import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import StudyError

_RATES = re.compile("lr|wd|decay|eps|epsilon|l1|l2|reg|temperature|learning")
_SHARES = re.compile("dropout|drop|momentum|beta[12]?|smoothing|alpha|mixup|gamma")
_SIZES = re.compile("width|hidden|dim|units|channels|size|batch|features|heads|filters")
_LENGTHS = re.compile("epochs|steps|max_steps|max-steps|iterations")
_FIXED = re.compile(
    "epochs|steps|iterations|seed|workers|gpu|device|port|rank|data|path|dir|folder|"
    "file|output|out|log|save|resume|checkpoint|verbose|debug|print|name|host|project|"
    "interval|every|freq"
)


@dataclass(frozen=True)
class Argument:
    """One option of a script: what its `add_argument` call says."""

    name: str
    kind: str
    default: Any
    choices: tuple[Any, ...]
    is_flag: bool


def study_text(script: Path, folder: Path) -> tuple[str, str]:
    """A study file for the script, and how many hyperparameters were found.

    Raises:
        StudyError: the script cannot be read, or takes no options.
    """
    arguments = list(_arguments(script))
    if not arguments:
        raise StudyError(f"no add_argument call in {script}: `danlu init` alone writes "
                         "a study file to fill in")  # fmt: skip
    guesses = {argument.name: guess(argument) for argument in arguments}
    tunable = {name: text for name, text in guesses.items() if text is not None}
    rest = [argument for argument in arguments if argument.name not in tunable]
    words = _command(script, folder, tunable, arguments)
    text = _TEMPLATE.format(
        name=json.dumps(script.stem),
        command=words,
        space="\n".join(f"  {name}: {text}" for name, text in tunable.items())
        or "  # name: 1e-4..1e-1:log",
        rest="\n".join(f"#   {_shown(argument)}" for argument in rest) or "#   none",
        steps=_steps(arguments),
    )
    return text, f"{len(arguments)} options, {len(tunable)} look tunable"


def guess(argument: Argument) -> str | None:
    """The domain that an option probably has, None for one that is not tuned.

    >>> guess(Argument("lr", "float", 0.01, (), False))
    '0.0001..1.0:log   # check: was 0.01'
    """
    parts = argument.name.lower().replace("-", "_").split("_")
    if argument.is_flag or _any(_FIXED, parts):
        return None
    if argument.choices:
        return json.dumps(list(argument.choices))
    number = argument.default
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    marked = f"   # check: was {number}"
    if _any(_RATES, parts):
        return _decades(float(number)) + marked
    if _any(_SHARES, parts) and 0 <= number <= 1:
        return _share(float(number)) + marked
    if argument.kind == "int" and number >= 1:
        log = ":log" if _any(_SIZES, parts) else ""
        return f"{max(1, number // 4)}..{number * 4}{log}{marked}"
    if number > 0:
        return f"{float(number) / 4!r}..{float(number) * 4!r}:log{marked}"
    return f"0.0..1.0{marked}"


def _any(pattern: re.Pattern[str], parts: list[str]) -> bool:
    return any(pattern.fullmatch(part) for part in parts)


def _decades(number: float) -> str:
    """Two decades to either side: a learning rate is rarely known better."""
    if number <= 0:
        return "1e-6..1e-2:log"
    decade = math.floor(math.log10(number) + 0.5)
    return f"{10.0 ** (decade - 2)!r}..{10.0 ** (decade + 2)!r}:log"


def _share(number: float) -> str:
    return "0.5..0.999" if number >= 0.5 else "0.0..0.5"


def _arguments(script: Path) -> Iterator[Argument]:
    try:
        tree = ast.parse(script.read_text(encoding="utf-8"), str(script))
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"cannot read {script}: {error}") from None
    except SyntaxError as error:
        raise StudyError(f"{script}, line {error.lineno}: {error.msg}") from None
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    for call in sorted(calls, key=lambda call: call.lineno):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument":
            argument = _argument(call)
            if argument is not None:
                yield argument


def _argument(call: ast.Call) -> Argument | None:
    """What one call says; None for a positional argument or one made by the program."""
    written = [_constant(arg) for arg in call.args]
    flags = [flag for flag in written if isinstance(flag, str) and flag[:2] == "--"]
    if not flags:
        return None
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    default = _constant(keywords.get("default"))
    choices = _constant(keywords.get("choices"))
    type_node = keywords.get("type")
    kind = type_node.id if isinstance(type_node, ast.Name) else type(default).__name__
    if kind == "float" and type(default) is int:
        default = float(default)
    action = _constant(keywords.get("action"))
    return Argument(
        name=flags[0][2:],
        kind=kind,
        default=default,
        choices=tuple(choices) if isinstance(choices, list | tuple) else (),
        is_flag=action in ("store_true", "store_false"),
    )


def _constant(node: ast.expr | None) -> Any:
    """What a literal stands for, None for anything that needs the program to run."""
    try:
        return None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError):
        return None


def _command(
    script: Path, folder: Path, tunable: dict[str, str], arguments: list[Argument]
) -> str:
    where = os.path.relpath(script.resolve(), folder.resolve())
    words = [f"--{name} {{{name}}}" for name in tunable]
    length = _length(arguments)
    if length is not None:
        words.append(f"--{length.name} {{budget}}")
    if any(argument.name == "seed" for argument in arguments):
        words.append("--seed {seed}")
    return json.dumps(" ".join(["python", where, *words]))


def _length(arguments: list[Argument]) -> Argument | None:
    """The option that says how long to train, where its default is a number."""
    for argument in arguments:
        whole = type(argument.default) is int and argument.default > 0
        if whole and _LENGTHS.fullmatch(argument.name.lower()):
            return argument
    return None


def _steps(arguments: list[Argument]) -> str:
    length = _length(arguments)
    if length is None:
        return "# max_steps: 20           # the length of a full training, if known"
    return f"max_steps: {length.default}   # check: from --{length.name}"


def _shown(argument: Argument) -> str:
    return f"--{argument.name} (default {argument.default!r})"


_TEMPLATE = """\
# A study: one question, and all that is needed to answer it.
# `danlu check` validates this file and tries the program; `danlu run` runs the study.
study: {name}
goal: Which params give the smallest validation error?   # check: your question

command: {command}

# The number to make small, by the name under which the program reports it:
# a line `step=3 val_error=0.31` on its output, or see docs/protocol.md.
metric: val_error   # check

# What may vary: low..high (add :log for rates and sizes), or options as sgd|adam.
# The ranges are guesses from the script's defaults.
space:
{space}

# Not tuned (a flag takes no value); the script's own defaults hold:
{rest}

trials: 32                  # search trials in total
{steps}
scheduler: median           # stops trials that are worse than the median; or: full
slots: 1                    # how many trials run at the same time
"""
