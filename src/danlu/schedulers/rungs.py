"""Rungs: the steps at which trials wait, and who goes on from one to the next.

What successive halving, ASHA and Hyperband have in common (Li et al., 2018 and 2020).
A trial is started with the lowest rung as its budget, is paused there, and is resumed
with the next one. Everything is read from the history, so nothing is lost in a crash.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

from ..errors import StudyError
from ..history import History
from ..number import is_count
from ..trial import State, Trial
from .base import Resume, Start, Verdict


def rungs(max_steps: int, min_steps: int, factor: int) -> tuple[int, ...]:
    """The steps of the rungs, lowest first; the last one is the full length.

    r_i = R eta^(i - s), rounded, with s = floor(log_eta(R / r)): from the top, so that
    each is `factor` times the one below (Li et al., 2018, Algorithm 1, lines 1 and 4).

    >>> rungs(81, 1, 3), rungs(52, 1, 3), rungs(2, 1, 3)
    ((1, 3, 9, 27, 81), (2, 6, 17, 52), (2,))
    """
    found = [max_steps]
    while min_steps * factor ** len(found) <= max_steps:
        found.append(round(max_steps / factor ** len(found)))
    return tuple(reversed(found))


def check_rungs(name: str, min_steps: int, factor: int) -> None:
    """Raises unless rungs can be made with these settings.

    Raises:
        StudyError: one of them is impossible.
    """
    if not is_count(min_steps) or not is_count(factor, 2):
        raise StudyError(
            f"{name} needs min_steps >= 1 and factor >= 2, whole numbers, got "
            f"{min_steps!r} and {factor!r}"
        )


def full_length(name: str, history: History) -> int:
    """The length of a full training.

    Raises:
        StudyError: it is not known.
    """
    if history.max_steps is None:
        raise StudyError(
            f"{name} needs the length of a full training: set the study's max_steps"
        )
    return history.max_steps


def at_rung(trial: Trial, steps: int) -> bool:
    """Whether a trial waits at the rung `steps` for its promotion."""
    return trial.state is State.PAUSED and not trial.waiting and trial.budget == steps


def paused_at_budget(trial: Trial, history: History) -> Verdict:
    """To pause once the metric is known at the trial's budget, else to continue."""
    curve = trial.curves.get(history.metric.name)
    if trial.budget is None or curve is None or not len(curve):
        return Verdict.CONTINUE
    if trial.budget == history.max_steps or curve.steps[-1] < trial.budget:
        return Verdict.CONTINUE
    return Verdict.PAUSE


def promotion(
    history: History,
    steps: Sequence[int],
    factor: int,
    *,
    members: Collection[int] | None = None,
    least: int = 0,
) -> Resume | None:
    """The next promotion of asynchronous successive halving, None without one.

    The best of the trials in the top 1/factor of a rung that has not been promoted, of
    the highest such rung (Li et al., 2020, Algorithm 2, lines 12 to 19). It waits until
    `factor` trials have come to the rung for each that goes on, the delay of D-ASHA (Li
    et al., 2022, "Hyper-Tune"): where a sampler learns, every new trial is among the
    best so far, and most of them would go on. The `least` best of a rung are always
    due. `members` are the numbers of the trials that compete, None for all.
    """
    for low, high in reversed(list(pairwise(steps))):
        rung = history.standing(low)
        if members is not None:
            rung = [trial for trial in rung if trial.number in members]
        gone = sum(trial.budget is None or trial.budget > low for trial in rung)
        is_due = len(rung) >= factor * (gone + 1)
        for trial in rung[: max(least, len(rung) // factor if is_due else 0)]:
            if at_rung(trial, low) and history.loss(trial, low) is not None:
                return Resume(trial.number, high)
    return None


def is_last(history: History) -> bool:
    """Whether all planned trials are known, and none of them runs or waits to."""
    if may_start(history):
        return False
    return not history.groups(is_busy).get(True)


def may_start(history: History) -> bool:
    """Whether the study has search trials left to start."""
    if history.planned is None:
        return True
    return sum(map(len, history.groups(is_busy).values())) < history.planned


def is_busy(trial: Trial) -> bool | None:
    """Whether a search trial runs or waits to, None for any other trial."""
    busy = trial.state is State.RUNNING or trial.waiting
    return busy if trial.kind.judged else None


def round_of(trial: Trial) -> tuple[int, int] | None:
    """The round and the bracket that a trial's note names.

    None for a trial of no round, and for one that failed: it is replaced.
    """
    note = trial.scheduler_note
    if "round" not in note or trial.state is State.FAILED:
        return None
    return int(note["round"]), int(note["bracket"])


@dataclass(frozen=True)
class Bracket:
    """One round of synchronous successive halving, which `trials` of them begin.

    >>> Bracket(trials=34, rungs=(3, 9, 27, 81), factor=3).sizes(34)
    (34, 11, 3, 1)
    """

    trials: int
    rungs: tuple[int, ...]
    factor: int

    @property
    def s(self) -> int:
        """How often its trials are thinned out: the paper's name of a bracket."""
        return len(self.rungs) - 1

    def sizes(self, trials: int) -> tuple[int, ...]:
        """How many of `trials` run to each rung: n_i = floor(n / eta^i), at least one.

        Li et al. (2018), Algorithm 1, line 6.
        """
        return tuple(max(1, trials // self.factor**i) for i in range(self.s + 1))

    def promotion(self, history: History, members: Collection[Trial]) -> Resume | None:
        """The next trial to go on, None while a rung is not full yet or all is done.

        `members` are all the trials of this bracket. A rung is left when every trial
        that is due there is through it, or has ended before.
        """
        due: Collection[Trial] = members
        sizes = self.sizes(len(members))
        for place in range(self.s):
            low, high = self.rungs[place : place + 2]
            if not all(_is_through(trial, low) for trial in due):
                return None
            due = _best(due, low, history)[: sizes[place + 1]]
            for trial in due:
                if at_rung(trial, low):
                    return Resume(trial.number, high)
        return None


def next_of_rounds(
    brackets: Sequence[Bracket], history: History
) -> Start | Resume | None:
    """What the first bracket has to do that is not waiting; all begin again and again.

    A new trial's note says to which round and bracket it belongs. Trials that failed
    are replaced. A bracket makes do with what it has once all planned trials are known.
    """
    groups, starts = history.groups(round_of), may_start(history)
    turns = 1 + max((group[0] for group in groups), default=0)  # type: ignore[index]
    for turn in range(turns + 1):  # the last of them is a new one
        for bracket in brackets:
            members = groups.get((turn, bracket.s), {}).values()
            if starts and len(members) < bracket.trials:
                note = {"round": turn, "bracket": bracket.s}
                return Start(bracket.rungs[0], note=note)
            found = bracket.promotion(history, members)
            if found is not None:
                return found
    return None


def _best(trials: Collection[Trial], steps: int, history: History) -> list[Trial]:
    """The trials by their loss at the rung `steps`, without those that have none."""
    losses = [
        (loss, trial.number, trial)
        for trial in trials
        if not (trial.state is State.INFEASIBLE and trial.budget == steps)
        if (loss := history.loss(trial, steps)) is not None
    ]
    return [trial for _, _, trial in sorted(losses, key=itemgetter(0, 1))]


def _is_through(trial: Trial, steps: int) -> bool:
    """Whether a bracket has not to wait for a trial at the rung `steps`."""
    rests = trial.state is State.PAUSED and not trial.waiting
    reached = rests and (trial.budget or steps) >= steps
    return trial.state.ended or trial.step >= steps or reached
