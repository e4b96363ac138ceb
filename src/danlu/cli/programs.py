"""From how a program is stated to the executor that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import DanluError, StudyError
from ..studyfile import Program, StudyFile

if TYPE_CHECKING:
    from ..domain import Value
    from ..executors.local import Local
    from ..study import Study


def executor_of(program: Program) -> Local:
    """The executor that starts a study's trials.

    Raises:
        StudyError: nothing is named that could be started.
        ExecutorError: a setting is impossible.
    """
    from ..executors.limits import Limits
    from ..executors.local import Local

    return Local(
        program.train(),
        slots=program.slots,
        gpus=program.gpus,
        gpus_per_trial=program.gpus_per_trial,
        limits=Limits(
            time_s=program.time_s,
            memory_bytes=program.memory_bytes,
            grace_s=program.grace_s,
            output_bytes=program.output_bytes,
        ),
        pattern=program.pattern,
        workdir=program.workdir,
    )


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
