"""From a program and a budget to confirmed params, by ordinary studies (autopilot).

The rounds are those of the playbook: explore without looking at the results, read
them, move the space, exploit, train the best again on new seeds, decide. Every round
is a study of its own, which can be stopped, looked at, changed and taken over; asked
again, tuning goes on where it stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .analysis.agreement import agreements
from .analysis.base import Finding
from .analysis.checks import analyze
from .analysis.repeats import trial_noise
from .budget import Budget, Trainings, trained
from .carry import missing
from .errors import StudyError
from .history import History
from .measured import Preflight, around
from .propose.change import changed
from .propose.plans import Aim, plans
from .schedulers.base import Scheduler
from .space import SearchSpace
from .studies import advise
from .study import Study
from .trial import Kind, Trial

if TYPE_CHECKING:
    from .decide.decision import Decision
    from .project import Project

Run = Callable[[Study], History]

LEAST_TO_EXPLORE = (
    25.0  # trainings: a quarter of fewer is too few for any check to tell
)
EXPLORE = 0.25  # of the budget, before anything is concluded
CONFIRM = 0.2  # of the budget, to tell a lucky trial from a good one
SEEDS = 3  # of each that is confirmed: the fewest from which a spread can be told
MOST_CONFIRMED = 5
# Fields of a study in which a round that was begun may differ from what is stated now.
_OF_A_BUDGET = ("trials", "note", "sampler", "scheduler", "baseline")
_OF_RESULTS = ("goal", "space", "seed", "learn_from")


@dataclass(frozen=True)
class Round:
    """One study of a tuning: what it was for, what it found, what it took.

    `moved` are the findings that changed its space, `spent` counts in the budget's
    unit, and holds what its trials took that were confirmed in it.
    """

    study: Study
    history: History
    findings: tuple[Finding, ...]
    moved: tuple[Finding, ...]
    spent: float


@dataclass(frozen=True)
class Tuned:
    """What a tuning came to: its rounds in order, and the decision about the last one.

    `decision` is None where no trial had a value to be confirmed.
    """

    rounds: tuple[Round, ...]
    decision: Decision | None
    budget: Budget
    before: float = 0.0

    @property
    def spent(self) -> float:
        """What the pre-flight and all rounds took, in the budget's unit."""
        return self.before + sum(own.spent for own in self.rounds)


def tune(
    project: Project,
    study: Study,
    run: Run,
    budget: Budget,
    *,
    preflight: Preflight | None = None,
) -> Tuned:
    """Rounds of studies after `study`, and the decision about the best of the last.

    `study` says what is tuned: its goal, metric, space and baseline; its number of
    trials does not count. The rounds are `NAME-1`, `NAME-2` and so on. `run` runs a
    study to its end, as `project.run` does.

    Below 25 trainings there is one round of search. From there on a quarter explores
    with quasi-random points, all of full length; a boundary that the best crowd is
    moved; the Gaussian process goes on in two rounds, between which it is looked again,
    with every earlier trial that the space holds. A fifth confirms the best on three
    new seeds each.

    `preflight` is what `training.Probe.preflight` found: the learning rate is searched
    where it was measured to be usable, and what that took is part of the budget.

    >>> import danlu
    >>> study = danlu.Study("bowl", "Where is the bottom?", "loss",
    ...                     {"x": danlu.Float(-1, 1)}, trials=1)
    >>> with danlu.open(":memory:") as project:
    ...     def run(study):
    ...         square = danlu.executors.Inline(lambda trial: trial.params["x"] ** 2)
    ...         return project.run(study, square)
    ...     tuned = danlu.tune(project, study, run, danlu.Budget(12))
    >>> abs(tuned.decision.params["x"]) < 0.2
    True

    Raises:
        StudyError: the pre-flight found a fault, or took the whole budget; or a study
            `NAME-1` (`NAME-2`, ...) is there that asks something else.
        StudyHalted: three trials in a row failed in the same way.
    """
    before = 0.0
    if preflight is not None:
        study, before = around(study, preflight), budget.unit.before(preflight)
    left = _left(budget, before)
    tuning = _Tuning(project, study, run, left)
    rounds: list[Round] = []
    shares = _shares(left)
    for place, (share, explores) in enumerate(shares, start=1):
        is_last = place == len(shares)
        baseline = None if explores else study.baseline
        stated = replace(study, scientific=(), baseline=baseline)
        quota = tuning.rest(rounds) if is_last else share * left.amount
        rounds.append(tuning.round(stated, rounds, quota, explores=explores))
        if rounds[-1].history.best is None:
            break  # nothing could be trained: what is wrong stands in its findings
        if not explores and _is_settled(rounds[-1]):
            break
    if rounds[-1].history.best is None:
        return Tuned(tuple(rounds), None, budget, before)
    decision = tuning.confirmed(rounds)
    last = rounds[-1]
    rounds[-1] = replace(tuning.looked_at(last.study), moved=last.moved)
    return Tuned(tuple(rounds), decision, budget, before)


def _left(budget: Budget, before: float) -> Budget:
    """What a pre-flight leaves of the budget."""
    if before >= budget.amount:
        raise StudyError(
            f"the pre-flight took {before:.3g} {budget.unit.name}, and the budget is "
            f"{budget.amount:.3g}: nothing is left to tune with"
        )
    return replace(budget, amount=budget.amount - before)


def _shares(budget: Budget) -> Sequence[tuple[float, bool]]:
    """Each round's share of the budget, and whether it explores.

    A budget in hours is cut as a large one: how many trainings it holds is not known.
    """
    search = 1 - CONFIRM
    if isinstance(budget.unit, Trainings) and budget.amount < LEAST_TO_EXPLORE:
        return ((search, False),)
    half = (search - EXPLORE) / 2
    return ((EXPLORE, True), (half, False), (half, False))


@dataclass(frozen=True)
class _Tuning:
    project: Project
    study: Study
    run: Run
    budget: Budget

    def round(
        self, stated: Study, before: Sequence[Round], quota: float, *, explores: bool
    ) -> Round:
        """The next round, run until its share of the budget is spent."""
        number = len(before) + 1
        own = replace(
            stated,
            name=f"{stated.name}-{number}",
            goal=stated.goal if number == 1 else f"{stated.goal} (round {number})",
            trials=self._first_trials(quota),
            seed=stated.seed + number - 1,
        )
        moved: tuple[Finding, ...] = ()
        if explores:
            own = replace(own, sampler="quasi_random", scheduler="full")
        if before:
            space, moved = _moved(before[-1])
            note = " ".join(finding.message for finding in moved)
            own = replace(own, space=space, scheduler=_scheduler(own, before[0]))
            own = replace(own, note=note)
        begun = self._begun(own, is_first=not before)
        if begun is None and not before:
            self._advise(own)
        study = begun or own
        self.project.keep(study)
        for earlier in before:
            self._carry(self.project.study(study.name), earlier)
        self._spend(self.project.study(study.name), quota)
        return replace(self.looked_at(study), moved=moved)

    def _advise(self, first: Study) -> None:
        """Says what speaks against the whole, once: of each round it would mislead.

        How many trainings fit into some hours is not known.
        """
        if self._is_counted:
            advise(replace(first, trials=max(1, round(self.budget.amount))))
        else:
            advise(first, but=("too-few-trials",))

    def rest(self, rounds: Sequence[Round]) -> float:
        """What the last round may spend: all but what confirming will take.

        Of hours a fifth is kept for that, as it is not known what a training takes.
        """
        spent = sum(own.spent for own in rounds)
        kept = CONFIRM * self.budget.amount
        if self._is_counted:
            last = replace(self.study, name=f"{self.study.name}-{len(rounds) + 1}")
            kept = math.prod(self._confirmable_with(kept, self._baselines(last)))
        return self.budget.amount - spent - kept

    def confirmed(self, rounds: Sequence[Round]) -> Decision:
        """The decision, after the best of the last round were trained again."""
        last = rounds[-1].study
        left = self.budget.amount - sum(own.spent for own in rounds)
        top, seeds = self._confirmable(rounds[-1], left)
        self.project.confirm(last, top=top, seeds=seeds)
        self.run(self.project.study(last.name))
        return self.project.decide(last)

    def looked_at(self, study: Study) -> Round:
        """What a study found and took by now."""
        study = self.project.study(study.name)
        history = self.project.history(study)
        findings = analyze(study, history)
        return Round(study, history, findings, (), self.budget.unit.spent(history))

    def _begun(self, own: Study, *, is_first: bool) -> Study | None:
        """The round as an earlier call has begun it, if any.

        It stays as it is in what follows from results or from the budget. In the rest
        it must answer the same question, or `plan` refuses it.
        """
        named = (kept for kept in self.project.studies() if kept.name == own.name)
        kept = next(named, None)
        if kept is None:
            return None
        adapted = _OF_A_BUDGET if is_first else (*_OF_A_BUDGET, *_OF_RESULTS)
        return replace(own, **{field: getattr(kept, field) for field in adapted})

    def _carry(self, study: Study, earlier: Round) -> None:
        """Makes room for what the study has not taken over yet, and takes it over."""
        known = self.project.history(study)
        fresh = missing(study, known, earlier.study.name, earlier.history)
        if fresh:
            room = replace(study, trials=len(_searched(known)) + len(fresh))
            study = self.project.plan(room)
        self.project.carry(study, earlier.study)

    def _spend(self, study: Study, quota: float) -> None:
        """Runs trials until their share is spent, as many more as there is room for."""
        while True:
            history = self.project.history(study)
            begun = len(_searched(history))
            more = self._room(study, history, quota)
            if more < 1 and all(trial.state.ended for trial in history.trials):
                return
            study = self.project.plan(replace(study, trials=max(begun + more, 1)))
            after = self.run(study)
            if len(_searched(after)) <= begun:
                return  # the sampler has no other params

    def _first_trials(self, quota: float) -> int:
        """How many trials to begin with; of hours two, to learn how long one takes."""
        return max(1, round(quota)) if self._is_counted else 2

    def _room(self, study: Study, history: History, quota: float) -> int:
        """For how many trials there is room, judged by those so far.

        Of hours never for more than have ended: the first ones may be quick failures,
        and how long a training takes is looked at again before the next.
        """
        spent = self.budget.unit.spent(history)
        ended = sum(trial.state.ended for trial in trained(history))
        if not (ended and spent):
            return max(self._first_trials(quota) - len(trained(history)), 0)
        room = math.floor((quota - spent) / (spent / ended) + 0.5)
        return room if self._is_counted else min(room, ended)

    def _confirmable(self, last: Round, left: float) -> tuple[int, int]:
        """How many of the best can be trained again, and on how many seeds."""
        begun = [trial for trial in last.history.ranked() if trial.started_s]
        if not begun:
            return 1, SEEDS
        full = max(begun, key=lambda trial: trial.step)
        alone = replace(last.history, trials=(full,))
        cost = self.budget.unit.spent(alone) or 1.0
        baselines = self._baselines(last.study)
        configurations, seeds = self._confirmable_with(left / cost, baselines)
        return configurations - baselines, seeds

    def _confirmable_with(self, trainings: float, baselines: int) -> tuple[int, int]:
        """How many configurations, baselines among them, and on how many seeds."""
        runs, fewest = math.floor(trainings + 0.5), 1 + baselines
        seeds = min(SEEDS, max(2, runs // fewest))
        return max(fewest, min(MOST_CONFIRMED + baselines, runs // seeds)), seeds

    @property
    def _is_counted(self) -> bool:
        """Whether it is known from the start how many trainings the budget holds."""
        return isinstance(self.budget.unit, Trainings)

    def _baselines(self, study: Study) -> int:
        """How many configurations are confirmed beside the best: what is to be beaten.

        The study states it, or the project has adopted it before.
        """
        return 0 if self.project.to_beat(study) is None else 1


def _is_settled(own: Round) -> bool:
    """Whether further trials are expected to gain less than seeds differ (C5)."""
    gains = [f.evidence.get("gain") for f in own.findings if f.check == "coverage"]
    noise = trial_noise(own.history)
    known = [gain for gain in gains if isinstance(gain, float)]
    return noise is not None and bool(known) and max(known) < noise.sd


def _moved(before: Round) -> tuple[SearchSpace, tuple[Finding, ...]]:
    """The last round's space, with the bounds moved that its findings ask for."""
    for plan in plans(before.study, before.history, before.findings):
        if plan.aim is Aim.MOVE:
            moved = changed(before.study, plan.change)
            return moved.search_space, plan.findings
    return before.study.search_space, ()


def _scheduler(study: Study, explored: Round) -> Scheduler | str:
    """The study's own; where it names none, one that stops trials if that is safe.

    It is if the order of the trials at some early step told that at the end (A15).
    """
    if study.scheduler != "full":
        return study.scheduler
    told = any(own.told for own in agreements(explored.history))
    return "median" if told else "full"


def _searched(history: History) -> list[Trial]:
    return [trial for trial in history.trials if trial.kind is Kind.SEARCH]


def story(tuned: Tuned) -> Iterator[str]:
    """What each round was for and what it led to, a line each."""
    for own in tuned.rounds:
        metric, best = own.study.objective, own.history.best
        loss = None if best is None else own.history.loss(best)
        value = "no value" if loss is None else f"{metric.value(loss):.4g}"
        trials = len(trained(own.history))
        yield (
            f"{own.study.name}: {trials} trainings, best {metric.name} {value}"
            + "".join(f". {finding.message}" for finding in own.moved)
        )
