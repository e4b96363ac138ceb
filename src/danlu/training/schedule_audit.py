"""A schedule looked at before training: every value of the run, and what is wrong.

`audit` reads any function of the step. `played` runs a scheduler of torch on a small
optimizer first, so that those can be read too, and `audit_resume` saves and loads one
half-way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch

from .finding import Finding
from .schedules import Schedule, ScheduleEnd

CHECK = "schedule"
# What functions answer after their end.
NO_VALUE = (ScheduleEnd, ValueError, ArithmeticError, LookupError, TypeError)
# More warm-up than this share of the steps is too long (playbook T14).
LONG_WARMUP = 0.1
# A decay that is cut off above this share of the peak has missed most of its use: the
# last tenth is where linear decay gains over decay to a tenth (Bergsma et al., 2025).
CUT_OFF = 0.1
FALLEN = 0.5  # of the peak; a momentum falls less beside a one-cycle
# Half-way up, a cosine that turns back has risen by a quarter of what it rises to, and
# the line of a cycle by half.
BENT = 3 / 8
ASKED_MOMENTUM = 0.9  # of the optimizer that schedulers are played on


def audit(
    schedule: Callable[[int], float], steps: int, *, of: str = "lr"
) -> tuple[Finding, ...]:
    """What is wrong with `schedule` for a run of `steps` updates; one `ok` if nothing.

    >>> from danlu import training
    >>> lr = training.Cosine(0.1, steps=1000)
    >>> [finding.level for finding in training.audit(lr, steps=1000)]
    ['ok']
    >>> training.audit(lr, steps=400)[0].message
    'lr has 1000 steps, but the run has 400: it ends at 66 % of the peak.'

    Raises:
        ValueError: the run has no steps, or no end.
    """
    if not 1 <= steps < math.inf:
        raise ValueError(f"audit needs a run of at least 1 step, got steps={steps}")
    values: list[float] = []
    for step in range(steps):
        try:
            values.append(float(schedule(step)))
        except NO_VALUE as error:  # a root of a negative number is complex
            return (_ends_early(of, step, steps, error),)
    found = [*_impossible(of, values), *_of_length(of, values, schedule)]
    return tuple(found) or (_nothing_wrong(of, steps),)


def played(
    build: Callable[[torch.optim.Optimizer], Any], steps: int, *, name: str = "lr"
) -> list[float]:
    """What each of `steps` updates would use under a scheduler of torch.

    `build` makes the scheduler for an optimizer that it is given, an SGD with momentum.
    `name` is the setting of the group to read. One value more than there are steps: the
    last is what an update after the end would use.

    >>> from torch.optim.lr_scheduler import OneCycleLR
    >>> def build(optimizer):
    ...     return OneCycleLR(optimizer, 1.0, total_steps=10, anneal_strategy="linear")
    >>> training_would_use = played(build, steps=10)
    >>> training_would_use[10] < 0
    True
    """
    optimizer = _small_optimizer()
    scheduler = build(optimizer)
    return [float(optimizer.param_groups[0][name]), *_went_on(scheduler, steps, name)]


def audit_scheduler(
    build: Callable[[torch.optim.Optimizer], Any], steps: int
) -> tuple[Finding, ...]:
    """`audit` of a scheduler of torch, of its momentum, its end, and of a resume.

    >>> from torch.optim.lr_scheduler import OneCycleLR
    >>> from danlu import training
    >>> findings = training.audit_scheduler(
    ...     lambda optimizer: OneCycleLR(optimizer, 1.0, total_steps=10), steps=10)
    >>> [finding.message for finding in findings if finding.level == "warning"]
    ['The scheduler writes a momentum of 0.95 over the 0.9 that was asked for.']
    """
    try:
        rates = played(build, steps)
    except Exception as error:  # whatever a scheduler of others does wrong is found
        return (_cannot_run(steps, error),)
    found = [f for f in audit(rates[:steps].__getitem__, steps) if f.level != "ok"]
    found += _after_the_end(rates[steps])
    found += _momentum(played(build, 0, name="momentum")[0])
    found += audit_resume(build, steps)
    return tuple(found) or (_nothing_wrong("lr", steps),)


def audit_resume(
    build: Callable[[torch.optim.Optimizer], Any], steps: int
) -> tuple[Finding, ...]:
    """A finding where a run that is resumed half-way gets other rates; else nothing.

    >>> from torch.optim.lr_scheduler import StepLR
    >>> audit_resume(lambda optimizer: StepLR(optimizer, 3), steps=10)
    ()
    """
    whole = played(build, steps)[:steps]
    half = steps // 2
    optimizer = _small_optimizer()
    scheduler = build(optimizer)
    _went_on(scheduler, half, "lr")
    saved = scheduler.state_dict(), optimizer.state_dict()
    optimizer = _small_optimizer()
    scheduler = build(optimizer)
    optimizer.load_state_dict(saved[1])
    scheduler.load_state_dict(saved[0])
    first = float(optimizer.param_groups[0]["lr"])
    resumed = [first, *_went_on(scheduler, steps - half - 1, "lr")]
    for step, (own, again) in enumerate(zip(whole[half:], resumed, strict=True), half):
        if not math.isclose(own, again, rel_tol=1e-6, abs_tol=1e-12):
            return (
                Finding(
                    CHECK,
                    "warning",
                    f"After a resume at step {half}, step {step} has the rate "
                    f"{again:.3g} instead of {own:.3g}.",
                    "Use a schedule that is a function of the step.",
                    {"step": step, "resumed": again, "uninterrupted": own},
                ),
            )
    return ()


def _small_optimizer() -> torch.optim.Optimizer:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer: torch.optim.Optimizer = torch.optim.SGD(
        [weight], lr=1.0, momentum=ASKED_MOMENTUM
    )
    return optimizer


def _went_on(scheduler: Any, steps: int, name: str) -> list[float]:
    """The setting `name` after each of `steps` updates."""
    used = []
    for _ in range(steps):
        scheduler.optimizer.step()
        scheduler.step()
        used.append(float(scheduler.optimizer.param_groups[0][name]))
    return used


def _nothing_wrong(of: str, steps: int) -> Finding:
    return Finding(CHECK, "ok", f"{of} of {steps} steps: nothing is wrong.")


def _cannot_run(steps: int, error: Exception) -> Finding:
    return Finding(
        CHECK,
        "warning",
        f"The scheduler cannot be run for {steps} steps: {type(error).__name__}: "
        f"{error}",
        "Use a schedule that is a function of the step.",
        {"steps": steps},
    )


def _after_the_end(rate: float) -> list[Finding]:
    if rate >= 0:
        return []
    return [
        Finding(
            CHECK,
            "warning",
            f"One update more than planned would use the rate {rate:.3g}.",
            "It would go uphill without an error: use a schedule that refuses.",
            {"rate": rate},
        )
    ]


def _momentum(first: float) -> list[Finding]:
    if first == ASKED_MOMENTUM:
        return []
    return [
        Finding(
            CHECK,
            "warning",
            f"The scheduler writes a momentum of {first:g} over the "
            f"{ASKED_MOMENTUM:g} that was asked for.",
            "Switch its cycling of momentum off, or tune the momentum there.",
            {"momentum": first},
        )
    ]


def _ends_early(of: str, step: int, steps: int, error: Exception) -> Finding:
    return Finding(
        CHECK,
        "warning",
        f"{of} ends before step {step}, but the run has {steps} steps ({error}).",
        "Stretch it to the run (`stretched`), or count updates, not epochs.",
        {"ends": step, "steps": steps},
    )


def _impossible(of: str, values: Sequence[float]) -> list[Finding]:
    """Negative values and those that are no numbers."""
    wrong = [at for at, value in enumerate(values) if not 0 <= value < math.inf]
    if not wrong:
        return []
    return [
        Finding(
            CHECK,
            "warning",
            f"{of} is {values[wrong[0]]:.3g} at step {wrong[0]}"
            + (f", and wrong at {len(wrong)} steps in all." if wrong[1:] else "."),
            "An update with a negative rate goes uphill: end the run before, or "
            "correct the schedule.",
            {"steps": wrong[:20], "value": values[wrong[0]]},
        )
    ]


def _of_length(
    of: str, values: Sequence[float], schedule: Callable[[int], float]
) -> list[Finding]:
    """What does not fit the length of the run."""
    steps = len(values)
    peak = max(values)
    top = values.index(peak)
    found = []
    length = getattr(schedule, "steps", steps)
    # A momentum or a decay may well be 0.
    still = _updates_at_zero(values) if of == "lr" else 0
    if still > 1:
        found.append(_at_zero(of, still, steps))
    elif steps < length < math.inf:
        found.append(_cut_short(of, values, length))
    elif not isinstance(schedule, Schedule) and (turn := _turned_back(values)):
        found.append(_rises_again(of, values, turn))
    elif values[-1] > CUT_OFF * peak and min(values[top:], default=peak) < peak:
        found.append(
            Finding(
                CHECK,
                "notice",
                f"{of} falls, but only to {values[-1]:.3g} of {peak:.3g}.",
                "Let it fall further: what it gains by annealing comes last.",
                {"last": values[-1], "peak": peak},
            )
        )
    if values[0] < peak and LONG_WARMUP * steps < top and _rises_once(values, top):
        found.append(
            Finding(
                CHECK,
                "notice",
                f"{of} rises for {top} of {steps} steps before its peak.",
                "More than a tenth of the steps is long for a warm-up; for one-cycle "
                "it is meant so.",
                {"warmup": top, "steps": steps},
            )
        )
    return found


def _updates_at_zero(values: Sequence[float]) -> int:
    """How many of the last values are zero."""
    after = next((at for at, own in enumerate(reversed(values)) if own != 0), None)
    return len(values) if after is None else after


def _at_zero(of: str, count: int, steps: int) -> Finding:
    return Finding(
        CHECK,
        "warning",
        f"{of} is 0 in the last {count} of {steps} steps: nothing is learned there.",
        "Give the decay as many steps as the run has, counted in updates, not epochs.",
        {"first": steps - count, "steps": steps},
    )


def _cut_short(of: str, values: Sequence[float], length: float) -> Finding:
    steps, peak = len(values), max(values)
    left = 100 * values[-1] / peak if peak else 0.0
    return Finding(
        CHECK,
        "warning",
        f"{of} has {length:g} steps, but the run has {steps}: it ends at "
        f"{left:.0f} % of the peak.",
        "Stretch it to the run (`stretched`).",
        {"steps": steps, "length": length, "last": values[-1]},
    )


def _turned_back(values: Sequence[float]) -> int | None:
    """The step from which on a decay is passed backward, None where there is none.

    A cosine of torch that is longer than it was made for rises as it fell. That of a
    restart jumps, a cycle turns on a point, and the next way up of a one-cycle is no
    mirror image of the way down.
    """
    peak = max(values)
    high = (at for at, own in enumerate(values) if own >= (1 - 1e-6) * peak)
    first = low = next(high, 0)
    for at in range(first, len(values)):
        if values[at] <= values[low]:
            low = at
        elif values[at] > values[low] + CUT_OFF * peak:
            break
    else:
        return None
    way = at - low
    if values[low] > FALLEN * peak or way < 2 or low - way < first:
        return None
    half = (values[low + way // 2] + values[low + (way + 1) // 2]) / 2
    is_bent = half - values[low] < BENT * (values[at] - values[low])
    is_mirrored = math.isclose(values[low - way], values[at], rel_tol=1e-3)
    return low if is_bent and is_mirrored else None


def _rises_again(of: str, values: Sequence[float], turn: int) -> Finding:
    peak = max(values)
    return Finding(
        CHECK,
        "warning" if values[-1] > CUT_OFF * peak else "notice",
        f"{of} falls to {values[turn]:.3g} by step {turn} of {len(values)}, and then "
        "rises again as it fell.",
        "Give the decay as many steps as the run has, counted in updates, not epochs; "
        "if cycles are meant, let them end low.",
        {"turn": turn, "steps": len(values), "last": values[-1], "peak": peak},
    )


def _rises_once(values: Sequence[float], top: int) -> bool:
    return all(low <= high for low, high in pairwise(values[: top + 1]))
