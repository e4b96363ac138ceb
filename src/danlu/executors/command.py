"""A training program's command line: `{name}` filled in for one trial."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..errors import ExecutorError, did_you_mean
from ..value import Value
from .base import Launch

_BRACES = re.compile(r"\{([^{}\s]+)\}")
_ARGUMENTS = "args"
_HYDRA = "args:hydra"


def filled(words: Sequence[str], launch: Launch) -> list[str]:
    """The command of one trial.

    `{lr}` becomes the value of lr, `{budget}`, `{seed}`, `{trial}` and the like what
    they say, `{args}` all params as `--lr 0.1 --opt adam`, `{args:hydra}` as
    `lr=0.1 opt=adam`. Other braces are left alone.

    Raises:
        ExecutorError: a word is nothing but `{name}`, and no such name is known.
    """
    known = known_values(launch)
    command: list[str] = []
    for word in words:
        if word in ("{args}", "{args:hydra}"):
            command += arguments(launch.trial.params, word[1:-1])
        else:
            _check_word(word, known, launch)
            command.append(_filled_word(word, known, launch.trial.params))
    return command


def known_values(launch: Launch) -> dict[str, str]:
    """Every name that braces may hold, and its text; a param wins over the rest."""
    trial, folder = launch.trial, launch.folder
    return {
        "trial": str(trial.number),
        "study": launch.study,
        "seed": str(trial.seed),
        "budget": "" if trial.budget is None else str(trial.budget),
        "folder": str(folder),
        "checkpoint": str(folder / "checkpoint"),
        "checkpoints": launch.checkpoints or "",
        "report": str(folder / "reports.jsonl"),
        "params_json": str(folder / "params.json"),
        **{name: text(value) for name, value in trial.params.items()},
    }


def arguments(params: Mapping[str, Value], form: str = _ARGUMENTS) -> list[str]:
    """All params as words of a command line, in their order.

    >>> arguments({"lr": 0.1, "nesterov": True})
    ['--lr', '0.1', '--nesterov', 'true']
    >>> arguments({"lr": 0.1, "nesterov": True}, "args:hydra")
    ['lr=0.1', 'nesterov=true']
    """
    if form == _HYDRA:
        words = {k: "null" if v is None else text(v) for k, v in params.items()}
        return [f"{name}={word}" for name, word in words.items()]
    pairs = [(f"--{name}", text(value)) for name, value in params.items()]
    return [word for pair in pairs for word in pair]


def text(value: Value) -> str:
    """A value as a command line has it: True is `true`, a float keeps all digits.

    >>> [text(value) for value in (True, 1e-05, 3, "adam")]
    ['true', '1e-05', '3', 'adam']
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def check_program(name: str, workdir: Path) -> None:
    """Makes sure that there is such a program.

    Raises:
        ExecutorError: there is none, or it may not be executed.
    """
    if os.sep not in name:
        if shutil.which(name) is None:
            hint = f"; this Python is {sys.executable}" if "py" in name else ""
            raise ExecutorError(f"no program {name!r}: not on PATH{hint}")
        return
    path = workdir / name
    if not path.is_file():
        raise ExecutorError(f"no program {name!r}: no such file in {workdir}")
    if not os.access(path, os.X_OK):
        raise ExecutorError(
            f"program {name!r} may not be executed: run `chmod +x {name}`, "
            "or put its interpreter before it"
        )


def _filled_word(
    word: str, known: Mapping[str, str], params: Mapping[str, Value]
) -> str:
    def value(braces: re.Match[str]) -> str:
        name = braces[1]
        if name in (_ARGUMENTS, _HYDRA):
            return shlex.join(arguments(params, name))
        return known.get(name, braces[0])

    return _BRACES.sub(value, word)


def _check_word(word: str, known: Mapping[str, str], launch: Launch) -> None:
    braces = _BRACES.fullmatch(word)
    if braces is None or braces[1] in known or not braces[1].isidentifier():
        return
    name = braces[1]
    if name in launch.names:
        raise ExecutorError(
            f"the command asks for {word}, which trial {launch.trial.number} does not "
            "have: it belongs to another option; write {args} for the params there are"
        )
    names: Iterable[str] = [*launch.trial.params, *launch.names, *known]
    hint = did_you_mean(name, dict.fromkeys(names))
    raise ExecutorError(
        f"the command asks for {word}, but there is no hyperparameter {name!r}: {hint}"
    )
