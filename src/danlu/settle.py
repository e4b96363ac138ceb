"""TELL: what becomes of a trial after its reports, and at its end."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from .errors import ReportError, TrialError
from .executors.base import Exited, Outcome
from .history import History, slacks_of
from .memory import Memory
from .schedulers.base import Scheduler, Verdict
from .study import Study
from .trial import Report, State, Trial

MOST_FAILURES = 2  # a trial that failed once is tried again: machines have bad moments
_UNPROMOTED = "not promoted beyond"
_SHOWN_CHARS = 300  # of a reason; the whole is in the trial's output


def diverged(metric: str, reports: Sequence[Report]) -> str:
    """Why a trial has diverged, in words; empty if it has not.

    >>> diverged("loss", [Report(3, {"loss": math.nan})])
    'diverged: loss is nan at step 3'
    """
    for report in reports:
        value = report.metrics.get(metric)
        if value is not None and not math.isfinite(value):
            return f"diverged: {metric} is {value} at step {report.step}"
    return ""


def ending(
    trial: Trial, memory: Memory, scheduler: Scheduler, reports: Sequence[Report]
) -> tuple[State, str] | None:
    """The state that a running trial is to go to after new reports, and why.

    None while it goes on. `trial` has the reports already.
    """
    reason = diverged(memory.study.objective.name, reports)
    if reason:
        return State.INFEASIBLE, reason
    if not trial.kind.judged:
        return None
    history = memory.arm_history(memory.arm_of(trial.number))
    verdict = _verdict(trial, history, scheduler, reports)
    full = memory.study.max_steps
    if verdict is Verdict.STOP and full is not None and trial.step >= full:
        return None  # it has done all its steps: there is nothing left to save
    if verdict is Verdict.STOP:
        broken = violated(trial, memory.study)
        if broken:
            return State.INFEASIBLE, broken
        name = type(scheduler).__name__.lower()
        return State.STOPPED, f"stopped early by {name} at step {trial.step}"
    if verdict is Verdict.PAUSE:
        return State.PAUSED, f"paused at step {trial.step}"
    return None


def _verdict(
    trial: Trial, history: History, scheduler: Scheduler, reports: Sequence[Report]
) -> Verdict:
    """The verdict after each of the reports, as if they had come one by one."""
    for report in reports[:-1]:
        cut = {name: own.until(report.step) for name, own in trial.curves.items()}
        verdict = scheduler.judge(trial.with_curves(cut), history)
        if verdict is not Verdict.CONTINUE:
            return verdict
    return scheduler.judge(trial, history)


def violated(trial: Trial, study: Study) -> str:
    """Which constraints a trial has broken, in words; empty if none.

    A metric that it has not reported breaks none.

    >>> import danlu
    >>> study = danlu.Study("s", "Which lr?", "loss", {"lr": danlu.Float(0, 1)}, 10,
    ...                     constraints=["latency_ms <= 20"])
    >>> trial = danlu.Trial(0, {"lr": 0.5}, curves={
    ...     "loss": danlu.Curve.of({1: 0.3}), "latency_ms": danlu.Curve.of({1: 31})})
    >>> violated(trial, study)
    'latency_ms 31 > 20'
    """
    slacks = slacks_of(trial, study.objective, study.limits)
    broken = [
        constraint.broken_by(slack)
        for constraint, slack in zip(study.limits, slacks, strict=True)
        if slack is not None and slack > 0
    ]
    return ", ".join(broken)


def ended(trial: Trial, exited: Exited, study: Study) -> Trial:
    """The trial after its program ended by itself, or was ended by a limit.

    A failed one with tries left comes back as running, to be started again; a
    preempted one as paused and waiting.
    """
    reason = exited.reason[:_SHOWN_CHARS]
    if exited.outcome is Outcome.DONE:
        return _completed(trial, study)
    if exited.outcome is Outcome.PREEMPTED:
        return queued(trial, reason)
    if exited.outcome is Outcome.FAILED:
        return _failed(trial, reason)
    return closed(trial, State.INFEASIBLE, f"{exited.outcome.value}: {reason}")


def closed(trial: Trial, state: State, reason: str = "") -> Trial:
    """The trial in a final (or paused) state."""
    now_s = time.time()
    idle_s = trial.idle_until(now_s)
    return replace(trial, state=state, reason=reason, ended_s=now_s, idle_s=idle_s)


def told(trial: Trial, study: Study, state: State, reason: str) -> Trial:
    """The trial as whoever trained it says that it has ended.

    Raises:
        TrialError: no trial ends in this state.
        ReportError: it is to be completed and never reported a metric that counts.
    """
    ends = [own.value for own in State if own.ended]
    if state not in ends:
        raise TrialError(f"a trial ends as one of {', '.join(ends)}, not {state!r}")
    missing = [metric for metric in _needed(study) if metric not in trial.curves]
    why = diverged(study.objective.name, trial.reports)
    if why and state == State.COMPLETED:
        return closed(trial, State.INFEASIBLE, why)
    if state == State.COMPLETED and _may_go_on(trial, study):
        return closed(trial, State.PAUSED, f"paused at step {trial.step}")
    if state == State.COMPLETED and missing:
        raise ReportError(
            f"trial {trial.number} never reported {missing[0]!r}: report it, or tell "
            "the state FAILED with a reason"
        )
    broken = violated(trial, study)
    if broken and state in (State.COMPLETED, State.STOPPED):
        return closed(trial, State.INFEASIBLE, broken)
    return closed(trial, State(state), reason)


def queued(trial: Trial, reason: str) -> Trial:
    """The trial put back in the queue, to go on from its checkpoint."""
    return replace(closed(trial, State.PAUSED, reason), waiting=True)


def again(trial: Trial) -> Trial:
    """An ended trial put back in the queue because the user asked for it.

    Raises:
        TrialError: it has not ended.
    """
    if not trial.state.ended:
        raise TrialError(
            f"trial {trial.number} is {trial.state.value}: only one that has ended "
            "can be run again"
        )
    reason = f"to be run again; it was {trial.state.value}"
    return replace(queued(trial, reason), failures=0)


def unpromoted(trial: Trial, study: Study) -> Trial:
    """A trial that a scheduler had paused, at the end of the study."""
    broken = violated(trial, study)
    if broken:
        return closed(trial, State.INFEASIBLE, broken)
    is_member = "member" in trial.scheduler_note  # of a population, in a generation
    why = "replaced after" if is_member else _UNPROMOTED
    return closed(trial, State.STOPPED, f"{why} step {trial.step}")


def reopened(trial: Trial) -> Trial | None:
    """A trial that was not promoted, waiting again since its study goes on.

    None for any other trial: its end has nothing to do with how many there are.

    >>> paused = Trial(3, {"x": 0.5}, State.STOPPED, budget=3,
    ...                reason="not promoted beyond step 3")
    >>> reopened(paused).state.value
    'paused'
    """
    if trial.state is not State.STOPPED or not trial.reason.startswith(_UNPROMOTED):
        return None
    reason = f"paused at step {trial.step}"
    return replace(closed(trial, State.PAUSED, reason), waiting=False)


def _may_go_on(trial: Trial, study: Study) -> bool:
    """Whether a trial that did all of its budget has more of its training to do."""
    full, budget = study.max_steps, trial.budget
    known = study.objective.loss(trial.curves.get(study.objective.name)) is not None
    below = full is not None and budget is not None and budget < full
    return below and known and trial.kind.judged


def _completed(trial: Trial, study: Study) -> Trial:
    if _may_go_on(trial, study):
        return closed(trial, State.PAUSED, f"paused at step {trial.step}")
    for metric in _needed(study):
        curve = trial.curves.get(metric)
        if curve is None or not len(curve):
            return _failed(trial, _unreported(trial.curves, metric))
    broken = violated(trial, study)
    return closed(trial, State.INFEASIBLE if broken else State.COMPLETED, broken)


def _needed(study: Study) -> list[str]:
    """The metrics without which a trial has no result."""
    return [study.objective.name, *(own.metric for own in study.limits)]


def _unreported(curves: Mapping[str, object], metric: str) -> str:
    if not curves:
        return f"ended without reporting {metric!r}, or anything at all"
    reported = ", ".join(repr(name) for name in curves)
    return f"ended without reporting {metric!r}; it reported {reported}"


def _failed(trial: Trial, reason: str) -> Trial:
    failures = trial.failures + 1
    if failures < MOST_FAILURES:
        return replace(
            trial,
            failures=failures,
            attempt=trial.attempt + 1,
            reason=reason,
            ended_s=None,
            idle_s=trial.idle_until(time.time()),
        )
    return replace(closed(trial, State.FAILED, reason), failures=failures)
