"""From how a program is stated to the executor that runs it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DanluError, StudyError
from ..studyfile import Program, StudyFile, read_value
from .stated import pair

if TYPE_CHECKING:
    from ..executors.base import Executor
    from ..executors.limits import Limits
    from ..study import Study
    from ..value import Value

SLURM_TIME_MIN = 60  # how long a Slurm job may take, unless it is stated


def started_by(words: Sequence[str], program: Program) -> Program:
    """The program that `words` start from this folder, with all else as in `program`.

    The folder is kept in full: `danlu resume` may be called from another one.
    """
    here = str(Path.cwd())
    return replace(program, command=tuple(words), function="", workdir=here)


def executor_of(program: Program) -> Executor:
    """The executor that starts a study's trials.

    Raises:
        StudyError: nothing is named that could be started.
        ExecutorError: a setting is impossible.
    """
    from ..executors.local import Local

    if program.on == "ray":
        return _ray(program)
    if program.on == "slurm":
        return _slurm(program)
    return Local(
        program.train(),
        slots=program.slots,
        gpus=program.gpus,
        gpus_per_trial=program.gpus_per_trial,
        limits=_limits(program),
        pattern=program.pattern,
        workdir=program.workdir,
        checkpoints=program.checkpoints,
    )


def _ray(program: Program) -> Executor:
    """The executor on a Ray cluster, whose GPUs have no names: Ray hands them out."""
    from ..executors.ray import Ray

    return Ray(
        program.train(),
        address=program.address,
        slots=program.slots,
        num_gpus=program.gpus_per_trial if program.gpus else 0.0,
        limits=_limits(program),
        pattern=program.pattern,
        workdir=program.workdir,
        checkpoints=program.checkpoints,
    )


def _slurm(program: Program) -> Executor:
    """The executor of Slurm jobs; GPUs that were asked for are asked of Slurm."""
    from ..executors.slurm import Slurm

    parameters = dict(program.slurm)
    if program.gpus:
        parameters.setdefault("gpus_per_node", math.ceil(program.gpus_per_trial))
    return Slurm(
        program.train(),
        slots=program.slots,
        partition=parameters.pop("partition", None),
        time_min=parameters.pop("time_min", SLURM_TIME_MIN),
        cluster=parameters.pop("cluster", "slurm"),
        parameters=parameters,
        limits=_limits(program),
        pattern=program.pattern,
        workdir=program.workdir,
        checkpoints=program.checkpoints,
    )


def _limits(program: Program) -> Limits:
    from ..executors.limits import Limits

    return Limits(
        time_s=program.time_s,
        memory_bytes=program.memory_bytes,
        grace_s=program.grace_s,
        output_bytes=program.output_bytes,
    )


def placed(
    program: Program, on: str | None, address: str | None, slurm: Sequence[str]
) -> Program:
    """The program on another executor, where one was named.

    Raises:
        StudyError: the address, or a key of `slurm`, is of no use there.
    """
    if on is not None:
        program = replace(program, on=on, address=None)
    if address is not None and program.on == "local":
        raise StudyError(f"--address {address} needs a cluster: add --on ray")
    if address is not None:
        program = replace(program, address=address)
    if slurm and program.on != "slurm":
        raise StudyError(f"--slurm {slurm[0]} needs Slurm: add --on slurm")
    given = [pair(text, "--slurm") for text in slurm]
    parameters = tuple((name, read_value(value)) for name, value in given)
    return replace(program, slurm=parameters) if slurm else program


def check_words(file: StudyFile) -> None:
    """Makes sure that a command asks for nothing that the study does not have.

    Raises:
        StudyError: it does; the message names the line.
    """
    from pathlib import Path

    from ..executors.base import Launch
    from ..executors.command import check_program, filled
    from ..trial import Trial

    program, study = file.program, file.study
    if not program.command:
        return
    names = tuple(dimension.name for dimension in study.search_space.dimensions)
    params = {**dict.fromkeys(names, 0), **study.fixed}
    trial = Trial(0, params)
    launch = Launch(study.name, trial, study.objective.name, Path(), names)
    try:
        filled(program.command, launch)
        check_program(program.command[0], Path(program.workdir))
    except DanluError as error:
        raise file.document.error(("command",), StudyError(str(error))) from None


def middle(study: Study) -> dict[str, Value]:
    """The baseline's params, or those in the middle of the space."""
    if study.baseline is not None:
        return dict(study.baseline)
    return study.search_space.decode([0.5] * len(study.search_space))
