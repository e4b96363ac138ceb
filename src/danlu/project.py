"""The flow as verbs: open, plan, run, ask, report, tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from . import outside
from .analysis.base import Finding
from .ask import Asker
from .decide.decision import Baseline, Decision, NextStudy, Ruling
from .decide.decisions import Decisions, by_hand
from .errors import StudyError
from .executors.base import Executor
from .executors.trains import executor_for
from .folders import LAUNCH, folder_beside, folder_name, forget_with, is_in_memory
from .history import History
from .jsontext import is_writable, shown
from .loop import LEASE_S, Loop, Progress
from .memory import Memory
from .owner import this_owner
from .space import Params
from .storage.base import Claim, Holding, Note, Storage
from .studies import Studies
from .study import Study
from .trial import Kind, State, Trial

if TYPE_CHECKING:
    from .client import LiveTrial
    from .decide.rule import Terms
    from .executors.limits import Limits
    from .log import Entry
    from .propose.proposals import Proposal

DEFAULT = ".danlu/danlu.db"


def open(url: str | Path = DEFAULT, folder: str | Path | None = None) -> Project:
    """The project whose studies are kept in the database `url`.

    `url` is a path, or `:memory:` for one that is forgotten with the project. `folder`
    is where trials keep their files; by default beside the database.

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
    project = Project(storage, own)
    if folder is None and is_in_memory(str(url)):
        forget_with(project, own)
    return project


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
        self._studies = Studies(storage)
        self._decisions = Decisions(storage)

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
        return self._studies.plan(study)

    def keep(self, study: Study) -> None:
        """As `plan`, for a program that chose the design and needs no advice."""
        self._studies.keep(study)

    def studies(self) -> Sequence[Study]:
        """All studies, oldest first."""
        return self._studies.all()

    def study(self, name: str | None = None) -> Study:
        """The study of that name or unique prefix; the newest one without a name.

        Raises:
            StudyNotFound: no study, or several, go by that name.
        """
        return self._studies.named(name)

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
        executor = executor_for(train, slots, limits)
        try:
            own = partial(self.trial_folder, study)
            Loop(memory, self._storage, executor, folder=own, watch=watch).run()
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
        _, memory = self._found(study)
        return outside.reported(memory, self._storage, trial, step, metrics)

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
        _, memory = self._found(study)
        return outside.told(memory, self._storage, trial, state, reason)

    def add(
        self, study: Study | str, params: Params, *, kind: Kind = Kind.SEARCH
    ) -> Trial:
        """A trial of these params, put in the queue for the next free slot.

        Search trials must be in the space, and count among the study's trials.

        Raises:
            SpaceError: the params are not in the space, or cannot be written down.
            StudyError: the study has all its search trials.
        """
        _, memory = self._found(study)
        return outside.added(memory, self._storage, params, kind)

    def carry(self, study: Study | str, earlier: Study | str) -> int:
        """How many trials of an `earlier` study were taken over into `study`.

        Those count as its own whose params its space holds, with the same fixed values;
        nothing is trained again. Asking twice takes none over twice.
        """
        from .carry import carry

        _, memory = self._found(study)
        name = self._found(earlier)[0].name
        return carry(memory, self._storage, name, self.history(name))

    def requeue(self, study: Study | str, number: int) -> Trial:
        """The ended trial `number`, put back in the queue to be run again.

        Raises:
            TrialError: there is no such trial, or it has not ended.
        """
        _, memory = self._found(study)
        return outside.queued_again(memory, self._storage, number)

    def end(self, study: Study | str, number: int, reason: str = "") -> Trial:
        """The trial `number`, stopped wherever it runs.

        Raises:
            TrialError: there is no such trial, or it has ended.
        """
        _, memory = self._found(study)
        return outside.stopped(memory, self._storage, number, reason)

    def history(self, study: Study | str) -> History:
        """All that is known of the study now."""
        study, memory = self._found(study)
        memory.refresh()
        return replace(memory.history(), trials=tuple(memory.history().trials))

    def holdings(self, study: Study | str) -> Sequence[Holding]:
        """The running trials and who holds them."""
        _, memory = self._found(study)
        return self._storage.holdings(memory.study_id, LEASE_S)

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

    def analyze(self, study: Study | str) -> tuple[Finding, ...]:
        """What the checks of the study's results found, what matters most first."""
        from .analysis.checks import analyze  # scipy takes a while to import

        study, _ = self._found(study)
        return analyze(study, self.history(study))

    def next(self, study: Study | str) -> tuple[Proposal, ...]:
        """The studies worth running after this one, the most worth first."""
        from .propose.proposals import propose, without_planned

        study, _ = self._found(study)
        history, studies = self.history(study), self.studies()
        taken = [own.name for own in studies]
        found = propose(study, history, self.analyze(study), taken)
        return without_planned(found, studies)

    def to_beat(self, study: Study | str) -> Baseline | None:
        """What the study's candidates are compared with, None for nothing.

        The baseline that it states, or what was adopted last from another study.
        """
        own = self.study(study) if isinstance(study, str) else study
        return self._decisions.to_beat(own)

    def confirm(
        self,
        study: Study | str,
        *,
        top: int = 3,
        seeds: int = 5,
        trials: Sequence[int] = (),
    ) -> tuple[Trial, ...]:
        """The trials that are still to be run to confirm the study's best, queued.

        The `top` best configurations, or those of the search trials `trials`, and the
        baseline are trained on `seeds` fresh seeds each, the same for all. That is a
        total: asking again adds only what is missing. `run` then runs them.

        Raises:
            StudyError: there is no result to confirm, or a number is below 1.
            TrialError: `trials` names one that is no search trial.
        """
        from .decide.confirm import enqueued

        study, memory = self._found(study)
        memory.refresh()
        baseline = self.to_beat(study)
        chosen = tuple(trials) or top
        return enqueued(memory, self._storage, baseline, chosen, seeds)

    def decide(
        self,
        study: Study | str,
        terms: Terms | None = None,
        *,
        ruling: Ruling | None = None,
        why: str = "",
    ) -> Decision:
        """Whether to adopt what was confirmed; it is recorded, and moves the baseline.

        With `ruling` the caller rules, whatever the numbers say, and says `why`. The
        same evidence is recorded once.

        Raises:
            StudyError: there is nothing to adopt, or a ruling has no reason.
        """
        from .decide.rule import Terms, decide

        study, memory = self._found(study)
        history = self.history(study)
        decision = decide(
            study,
            history,
            self.to_beat(study),
            terms=terms or Terms(),
            earlier=self._decisions.about(study.name),
        )
        if ruling is not None:
            decision = by_hand(decision, ruling, why)
        following = [NextStudy(own.study.name, own.reason) for own in self.next(study)]
        decision = replace(decision, next_studies=tuple(following))
        return self._decisions.keep(memory.study_id, decision)

    def decisions(self, study: Study | str | None = None) -> tuple[Decision, ...]:
        """What was decided about a study, or about all of them, oldest first."""
        if study is None:
            return self._decisions.all()
        return self._decisions.about(self._found(study)[0].name)

    def baseline(self) -> Decision | None:
        """The adoption that holds now, with its `params`; None before there is one."""
        return self._decisions.baseline()

    def rollback(self, why: str = "") -> Decision:
        """The record that takes the last adoption back, so that the one before holds.

        Raises:
            StudyError: nothing is adopted.
        """
        ids = {record.name: record.id for record in self._storage.studies()}
        return self._decisions.rollback(why, ids)

    def log(self) -> tuple[Entry, ...]:
        """Each study in one row, oldest first: what it asked, and what came of it."""
        from .log import entry
        from .studyfile import read_program

        return tuple(
            entry(
                study,
                self.history(study),
                decisions=self._decisions.about(study.name),
                program=read_program(self.trial_folder(study, 0).parent / LAUNCH),
                notes=[note.text for note in self.notes(study)],
            )
            for study in self.studies()
        )

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
        return self._studies.found(study)
