"""A14: how much luck is in a trial, and in the study."""

from __future__ import annotations

import numpy as np

from ..history import History
from ..sentence import plural
from ..study import Study
from .base import Finding, Level
from .bounded import bounded
from .luck import best_of
from .repeats import Noise, trial_noise

LEAST_DF = 4  # the sd is then known within a factor of 2.4, with 90 % confidence
LEAST_TRIALS = 8  # with fewer, their quartiles say nothing
IQR_OF_NORMAL = 1.349  # distance of the quartiles of a normal distribution, in sd
ALL_NOISE = 1.5  # spread / noise below which most of the variance may be noise
LARGER = 1.5  # noise / luck from where on more seeds say more than more trials


def noise(study: Study, history: History) -> tuple[Finding, ...]:
    """The noise between seeds of the same params beside the differences of the trials.

    Warns where the trials differ (by their quartiles, so that a few bad ones do not
    count) less than 1.5 times as much as one of them does with its seed. That is
    seen in 90 % of the studies where the params change nothing and ten seeds were
    run (82 % with five), and in less than 5 % of those where the quartiles' sd is
    four times the noise. The noise is taken for normal.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which x?", metric="loss", trials=10,
    ...                     space={"x": danlu.Float(0, 1)})
    >>> history = danlu.History(study.search_space, study.objective)
    >>> noise(study, history)[0].evidence["missing"]
    5
    """
    found = trial_noise(history)
    if found is None or found.df < LEAST_DF:
        return (_unknown(found),)
    _, _, losses = history.searched()
    feasible = bounded(losses[np.isfinite(losses)])
    if len(feasible) < LEAST_TRIALS:
        return (_few(found, len(feasible)),)
    return (_compared(study, found, feasible),)


def _unknown(found: Noise | None) -> Finding:
    known = 0 if found is None else found.df + found.sets
    missing = LEAST_DF + 1 if found is None else LEAST_DF - found.df
    return Finding(
        "noise",
        Level.UNKNOWN,
        "How much a trial differs with its seed is not known: "
        + (f"only {known} trials repeat" if known else "no trial repeats")
        + " the params of another one.",
        f"Confirm the best trial on {plural(missing, 'more seed')}.",
        {"missing": missing, "trials": [] if found is None else list(found.trials)},
    )


def _few(found: Noise, count: int) -> Finding:
    missing = LEAST_TRIALS - count
    return Finding(
        "noise",
        Level.UNKNOWN,
        f"The same params differ by {found.sd:.3g} (sd) with their seed; {count} "
        "search trials are too few to compare that with.",
        f"Run {missing} more trials.",
        {**_evidence(found), "missing": missing},
    )


def _compared(study: Study, found: Noise, losses: np.ndarray) -> Finding:
    low, high = np.quantile(losses, (0.25, 0.75))
    spread = float(high - low) / IQR_OF_NORMAL
    luck = best_of(losses, len(losses)).sd
    evidence = {**_evidence(found), "spread": spread, "luck": luck}
    first, last = found.interval
    name = study.objective.name
    said = (
        f"The same params differ by {found.sd:.3g} in {name} (sd over seeds, 90 % "
        f"interval {first:.2g} to {last:.2g})"
    )
    if spread < ALL_NOISE * found.sd:
        return Finding(
            "noise",
            Level.WARNING,
            f"{said}, and all trials by {spread:.3g}: most of what they differ by is "
            "noise.",
            "Do not read an order into these trials. Run each on several seeds, or "
            "evaluate on more data; search hyperparameters that matter more.",
            evidence,
        )
    if found.sd > LARGER * luck:
        return Finding(
            "noise",
            Level.NOTICE,
            f"{said}: more than the best trial of another such study would differ from "
            f"this one's ({luck:.2g}).",
            "More seeds of the best trials say more now than more trials.",
            evidence,
        )
    return Finding(
        "noise",
        Level.OK,
        f"{said}; the best of another such study would differ by about {luck:.2g}.",
        evidence=evidence,
    )


def _evidence(found: Noise) -> dict[str, object]:
    low, high = found.interval
    return {
        "noise": found.sd,
        "low": low,
        "high": high,
        "df": found.df,
        "trials": list(found.trials),
    }
