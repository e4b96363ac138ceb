"""How the trials of a study are started: the program, its slots and its limits."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import StudyError
from .function import load_function

_ADDED = {"on", "address", "slurm", "checkpoints"}  # files of version 0.1.0 lack them


@dataclass(frozen=True)
class Program:
    """What is started for each trial, in which folder, and with what.

    Either a `command` (its words) or a `function` ("train.py:train"), or neither where
    trials are asked for and told from outside. `gpus` names the devices to hand out.
    `time_s`, `memory_bytes` and `output_bytes` bound one trial; `grace_s` is how long
    it may take to end when asked to. `pattern` finds metrics in a command's output.
    `on` names the executor, `address` the cluster that it uses, if it does, and `slurm`
    what is asked for each Slurm job. `checkpoints` is the URL or the folder where
    trials keep their checkpoints, None for each trial's own folder.

    >>> Program(command=("python", "train.py")).text
    'python train.py'
    """

    command: tuple[str, ...] = ()
    function: str = ""
    workdir: str = "."
    slots: int = 1
    gpus: tuple[str, ...] = ()
    gpus_per_trial: float = 1.0
    time_s: float | None = None
    memory_bytes: int | None = None
    output_bytes: int = 2**30
    grace_s: float = 30.0
    pattern: str | None = None
    on: str = "local"
    address: str | None = None
    slurm: tuple[tuple[str, Any], ...] = ()
    checkpoints: str | None = None

    @property
    def text(self) -> str:
        """What is started, as one would type it; empty for nothing."""
        return shlex.join(self.command) if self.command else self.function

    def train(self) -> Callable[..., Any] | tuple[str, ...]:
        """The command, or the function itself, loaded from where it is written.

        Raises:
            StudyError: nothing is named, or there is no such function.
        """
        if self.command:
            return self.command
        if self.function:
            return load_function(self.function, Path(self.workdir))
        raise StudyError(
            "nothing to run: name a command (or a function) in the study file, "
            "or add `-- COMMAND`"
        )


def write_program(program: Program, path: Path) -> None:
    """Keeps how a study is run, so that it can be resumed by its name alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(program), indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def read_program(path: Path) -> Program:
    """How a study was run last; an empty program where that is not known.

    Raises:
        StudyError: the file is damaged.
    """
    try:
        kept: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        names = {field.name for field in fields(Program)} - (_ADDED - set(kept))
        known = {name: kept[name] for name in names}
    except FileNotFoundError:
        return Program()
    except (ValueError, KeyError, TypeError) as error:
        raise StudyError(
            f"{path} is damaged ({error}): run the study once more from its study "
            "file, which writes it anew"
        ) from None
    known["command"] = tuple(known["command"])
    known["gpus"] = tuple(known["gpus"])
    known["slurm"] = tuple((key, value) for key, value in known.get("slurm", ()))
    return Program(**known)
