"""The flow as verbs: open, plan, run, ask, report, tell."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from . import codec, settle
from .analysis.design import design
from .ask import Asker, sampler_of, scheduler_of, trial_seed
from .domain import plain
from .errors import StudyError, StudyNotFound, TrialError, did_you_mean
from .executors.base import Executor
from .folders import folder_beside, folder_name
from .history import History
from .jsontext import is_writable, shown, writable
from .loop import Loop, Progress
from .memory import FOLLOW_S, Memory, earlier_studies
from .owner import this_owner
from .space import Params
from .statement import is_amended
from .storage.base import Claim, Holding, Note, Storage, StudyRecord
from .study import Study
from .trial import Kind, Report, State, Trial, add_reports

if TYPE_CHECKING:
    from .client import LiveTrial
    from .executors.limits import Limits

DEFAULT = ".danlu/danlu.db"
_log = logging.getLogger("danlu")


def open(url: str | Path = DEFAULT, folder: str | Path | None = None) -> Project:
    """The project whose studies are kept in the database `url`.

    `url` is a path, or `:memory:` for one that is forgotten at the end. `folder` is
    where trials keep their files; by default beside the database.

    >>> import danlu
    >>> with danlu.open(":memory:") as project:
    ...     project.studies()
    []

    Raises:
        StorageError: the database cannot be opened; the message says why.
    """
    from .storage.sql import open_storage  # 0.2 s to import

    storage = open_storage(str(url))
    own = folder_beside(str(url)) if folder is None else Path(folder).absolute()
    return Project(storage, own)


class Project:
    """A sequence of studies, their trials, and what was noted about them.

    >>> import danlu
    >>> with danlu.open(":memory:") as project:
    ...     study = project.plan(danlu.Study(
    ...         name="bowl", goal="Where is the minimum?", metric="loss",
    ...         space={"x": danlu.Float(-1, 1)}, trials=30))
    ...     while trial := project.ask(study):
    ...         _ = project.report(study, trial, step=1, loss=trial.params["x"] ** 2)
    ...         _ = project.tell(study, trial)
    ...     best = project.history(study).best
    >>> abs(best.params["x"]) < 0.1
    True
    """

    def __init__(self, storage: Storage, folder: Path) -> None:
        self.folder = folder
        self._storage = storage
        self._known: dict[str, tuple[Study, Memory]] = {}

    def plan(self, study: Study) -> Study:
        """The study, kept under its name, to be run.

        What the rules of thumb have against its design is logged as a warning. A study
        that exists under the name must be the same but for `trials` and `note`, which
        are brought up to date. With more `trials`, those that were not promoted wait
        for it again.

        Raises:
            StudyError: another study has the name, or it is to learn from one that is
                not here, or has another metric.
        """
        sampler_of(study)
        scheduler_of(study)
        earlier_studies(study, self._storage)
        statement = codec.study_to_json(study)
        record = self._record(study.name) or self._added(study, statement)
        is_new = is_amended(record.statement, statement)
        self._learn(record, study)
        if is_new:
            if study.trials > record.statement["trials"]:
                self._reopen(self._known[study.name][1])
            self._storage.amend(record.id, statement)
        return study

    def studies(self) -> Sequence[Study]:
        """All studies, oldest first."""
        return [self._study_of(record) for record in self._storage.studies()]

    def study(self, name: str | None = None) -> Study:
        """The study of that name or unique prefix; the newest one without a name.

        Raises:
            StudyNotFound: no study, or several, go by that name.
        """
        records = self._storage.studies()
        if name is None:
            if not records:
                raise StudyNotFound("no study here yet: run one first")
            return self._study_of(records[-1])
        exact = [record for record in records if record.name == name]
        found = exact or [record for record in records if record.name.startswith(name)]
        if len(found) == 1:
            return self._study_of(found[0])
        names = [record.name for record in found or records]
        if found:
            raise StudyNotFound(f"{name!r} may be any of: {', '.join(names)}")
        raise StudyNotFound(f"no study {name!r}: {did_you_mean(name, names)}")

    def run(
        self,
        study: Study | str,
        train: Callable[[LiveTrial], object] | Sequence[str] | Executor,
        *,
        slots: int = 1,
        limits: Limits | None = None,
        watch: Callable[[Progress], None] | None = None,
    ) -> History:
        """The study's history after all its trials have been run.

        `train` is a function of a trial, a command as a list of words, or an executor.
        A study that was begun is continued; one that is done comes back at once.

        Raises:
            StudyHalted: three different trials in a row failed in the same way.
            ExecutorError: the training program cannot be started.
            KeyboardInterrupt: after Ctrl-C; everything is saved.
        """
        study, memory = self._found(study)
        executor = _executor(train, slots, limits)
        try:
            loop = Loop(
                memory,
                self._storage,
                executor,
                folder=lambda number: self.trial_folder(study, number),
                watch=watch,
            )
            loop.run()
        finally:
            executor.close()
        return self.history(study)

    def ask(self, study: Study | str, holder: str | None = None) -> Trial | None:
        """The next trial for the caller to train; None when there is none.

        The trial belongs to this process, and is given to another if this one ends
        without telling; with `holder` it belongs to whoever goes by that name.
        """
        study, memory = self._found(study)
        claim = Claim(holder or this_owner("ask"), None)
        return Asker(memory, self._storage, claim).ask()

    def report(
        self, study: Study | str, trial: Trial | int, /, step: int, **metrics: float
    ) -> bool:
        """Whether the trial is to go on after reporting; what it reported is saved.

        Raises:
            ReportError: a step or metric that cannot be recorded.
            TrialError: there is no such trial.
        """
        study, memory = self._found(study)
        if isinstance(trial, int):
            trial = memory.reread(trial)
        reports = [Report(step, metrics)]
        place = memory.study_id, trial.number, trial.attempt
        if self._storage.report(*place, reports) is not State.RUNNING:
            return False
        memory.refresh_after(FOLLOW_S)
        known = memory.trial(trial.number)
        grown = known.with_curves(add_reports(known.curves, reports))
        memory.keep(grown)
        if settle.ending(grown, memory, scheduler_of(study), reports) is not None:
            return False
        return grown.budget is None or step < grown.budget

    def tell(
        self,
        study: Study | str,
        trial: Trial | int,
        state: State = State.COMPLETED,
        reason: str = "",
    ) -> Trial:
        """The trial as it has ended.

        One that reported nan or inf, or that breaks a constraint, is infeasible,
        whatever it is told to be.

        Raises:
            TrialError: it has ended already, or belongs to somebody else now, or the
                state is none in which a trial ends.
            ReportError: it is to be completed and never reported the study's metric, or
                that of a constraint.
        """
        study, memory = self._found(study)
        known = memory.reread(_number(trial))
        if isinstance(trial, Trial) and trial.attempt != known.attempt:
            raise TrialError(
                f"trial {known.number} was taken over by {known.host}: it is at "
                f"attempt {known.attempt}, this is {trial.attempt}"
            )
        told = settle.told(known, study, state, writable(reason))
        return self._move(memory, known, told)

    def add(
        self, study: Study | str, params: Params, *, kind: Kind = Kind.SEARCH
    ) -> Trial:
        """A trial of these params, put in the queue for the next free slot.

        Search trials must be in the space, and count among the study's trials.

        Raises:
            SpaceError: the params are not in the space, or cannot be written down.
            StudyError: the study has all its search trials.
        """
        study, memory = self._found(study)
        params = {name: plain(value) for name, value in params.items()}
        if kind is Kind.SEARCH:
            params = study.search_space.admit(params)
        claim = Claim(this_owner("add"), None)
        limit = study.trials if kind is Kind.SEARCH else None
        reserved = self._storage.reserve(memory.study_id, kind, claim, limit)
        if reserved is None:
            raise StudyError(
                f"study {study.name!r} has its {study.trials} trials: raise `trials`"
            )
        trial = Trial(
            number=reserved.number,
            params={**study.fixed, **params},
            state=State.PAUSED,
            kind=kind,
            index=reserved.index,
            budget=study.max_steps,
            seed=trial_seed(study, kind, reserved.number),
            attempt=0,
            waiting=True,
            reason="added by hand",
        )
        self._storage.fill(memory.study_id, trial)
        memory.refresh()
        return memory.trial(trial.number)

    def requeue(self, study: Study | str, number: int) -> Trial:
        """The ended trial `number`, put back in the queue to be run again.

        Raises:
            TrialError: there is no such trial, or it has not ended.
        """
        _, memory = self._found(study)
        known = memory.reread(number)
        return self._move(memory, known, settle.again(known))

    def end(self, study: Study | str, number: int, reason: str = "") -> Trial:
        """The trial `number`, stopped wherever it runs.

        Raises:
            TrialError: there is no such trial, or it has ended.
        """
        study, memory = self._found(study)
        known = memory.reread(number)
        reason = writable(reason) or "stopped by hand"
        return self._move(memory, known, settle.closed(known, State.STOPPED, reason))

    def history(self, study: Study | str) -> History:
        """All that is known of the study now."""
        study, memory = self._found(study)
        memory.refresh()
        return replace(memory.history(), trials=tuple(memory.history().trials))

    def holdings(self, study: Study | str) -> Sequence[Holding]:
        """The running trials and who holds them."""
        _, memory = self._found(study)
        return self._storage.holdings(memory.study_id)

    def note(self, study: Study | str, text: str) -> None:
        """Keeps a remark on the study.

        Raises:
            StudyError: it is no text that a file can hold.
        """
        if not is_writable(text):
            raise StudyError(f"a note must be valid Unicode, got {shown(text)}")
        _, memory = self._found(study)
        self._storage.add_note(memory.study_id, text)

    def notes(self, study: Study | str) -> Sequence[Note]:
        """The remarks on the study, oldest first."""
        _, memory = self._found(study)
        return self._storage.notes(memory.study_id)

    def trial_folder(self, study: Study | str, number: int) -> Path:
        """Where the trial `number` keeps its files."""
        name = study if isinstance(study, str) else study.name
        return self.folder / folder_name(name) / str(number)

    def close(self) -> None:
        """Lets go of the database."""
        self._storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _found(self, study: Study | str) -> tuple[Study, Memory]:
        """The study as it is kept, and what is known of it; plans it if need be."""
        if isinstance(study, str):
            study = self.study(study)
        elif study.name not in self._known or self._known[study.name][0] != study:
            study = self.plan(study)
        return self._known[study.name]

    def _study_of(self, record: StudyRecord) -> Study:
        study = codec.study_from_json(record.statement)
        self._learn(record, study)
        return study

    def _learn(self, record: StudyRecord, study: Study) -> None:
        known = self._known.get(study.name)
        memory = known[1] if known else Memory(study, self._storage, record.id)
        memory.study = study
        self._known[study.name] = study, memory

    def _reopen(self, memory: Memory) -> None:
        """Lets those wait for a promotion again who had none when the study ended."""
        memory.refresh()
        for trial in list(memory.history().trials):
            waiting = settle.reopened(trial)
            if waiting and self._storage.move(memory.study_id, trial, waiting):
                memory.keep(waiting)

    def _record(self, name: str) -> StudyRecord | None:
        found = [own for own in self._storage.studies() if own.name == name]
        return found[0] if found else None

    def _added(self, study: Study, statement: Mapping[str, Any]) -> StudyRecord:
        self._log_design(study)
        try:
            return self._storage.add_study(study.name, statement)
        except StudyError:
            record = self._record(study.name)  # another process was first
            if record is None:
                raise
            return record

    def _move(self, memory: Memory, before: Trial, after: Trial) -> Trial:
        if not self._storage.move(memory.study_id, before, after):
            now = memory.reread(before.number)
            raise TrialError(
                f"trial {before.number} is {now.state.value} by now: look again"
            )
        memory.keep(after)
        return after

    def _log_design(self, study: Study) -> None:
        for finding in design(study):
            _log.warning("%s. %s", finding.message.rstrip("."), finding.advice)


def _number(trial: Trial | int) -> int:
    return trial.number if isinstance(trial, Trial) else trial


def _executor(
    train: Callable[[LiveTrial], object] | Sequence[str] | Executor,
    slots: int,
    limits: Limits | None,
) -> Executor:
    if isinstance(train, Executor):
        return train
    from .executors.limits import Limits
    from .executors.local import Local

    return Local(train, slots=slots, limits=limits or Limits())
