"""A study read again under another metric, without running anything (A16)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Literal

from ..errors import StudyError, did_you_mean
from ..history import History
from ..metric import Metric
from ..study import Study
from ..trial import State
from .base import Finding, Level
from .bias import is_adaptive
from .metric_roles import maximized

CHECK = "reread"


def reread(
    study: Study,
    history: History,
    *,
    metric: Metric | str | None = None,
    at: Literal["best", "last"] | None = None,
) -> tuple[Study, History]:
    """The study and its history as if their metric had been another one.

    Every analysis takes both in place of the old ones. `metric` is a `Metric`, or the
    name of a reported number: then a name such as `val_accuracy` is one to make large.
    `at` takes the value at the best or the last step; as it was without it. What was
    chosen by the first metric stays so: see `caveat`.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which x?", metric="val_loss", trials=2,
    ...                     space={"x": danlu.Float(0, 1)}, sampler="quasi_random")
    >>> curves = {"val_loss": danlu.Curve.of({1: 0.2, 2: 0.5}),
    ...           "train_loss": danlu.Curve.of({1: 0.3, 2: 0.1})}
    >>> trial = danlu.Trial(0, {"x": 0.5}, danlu.State.COMPLETED, curves=curves)
    >>> history = danlu.History(study.search_space, study.objective, [trial])
    >>> again, known = reread(study, history, metric="train_loss", at="last")
    >>> str(again.objective.name), known.loss(known.best)
    ('train_loss', 0.1)

    Raises:
        StudyError: no trial reported such a metric.
    """
    own = _metric(study, history, metric)
    own = own if at is None else replace(own, at=at)
    return replace(study, metric=own), replace(history, metric=own)


def caveat(study: Study, history: History, other: Metric) -> Finding:
    """What to keep in mind when a study is read under `other` than its own metric.

    Points that were chosen by their results, and trials that were stopped by them, are
    those that suit the first metric. Trials that ended as infeasible, or that did not
    report the other metric, are left out of what is read.

    >>> import danlu
    >>> study = danlu.Study(name="s", goal="Which x?", metric="val_loss", trials=2,
    ...                     space={"x": danlu.Float(0, 1)}, sampler="tpe")
    >>> history = danlu.History(study.search_space, study.objective)
    >>> caveat(study, history, danlu.Metric("train_loss")).level.value
    'notice'
    """
    first = study.objective.name
    searched = [trial for trial in history.trials if trial.kind.judged]
    ended = [trial for trial in searched if trial.state.ended]
    silent = [trial.number for trial in ended if other.name not in trial.curves]
    stopped = [own.number for own in ended if own.state is State.STOPPED]
    reasons = []
    if is_adaptive(study.sampler, study.scientific):
        reasons.append(f"the sampler chose points that are good in {first}")
    if stopped:
        reasons.append(f"{len(stopped)} trials were stopped by their {first}")
    if silent:
        reasons.append(f"{len(silent)} trials did not report {other.name}")
    words = f"{other.name} at the {other.at} step"
    evidence = {"metric": other.name, "at": other.at, "from": first}
    if not reasons:
        return Finding(
            CHECK,
            Level.OK,
            f"Read by {words}: no trial was chosen or stopped by its results.",
            evidence=evidence,
        )
    return Finding(
        CHECK,
        Level.NOTICE,
        f"Read by {words}, but {', and '.join(reasons)}: what is best by {other.name} "
        "may not have been tried.",
        f"To tune {other.name} itself, run a study of that metric.",
        {**evidence, "stopped": stopped, "unreported": silent},
    )


def _metric(study: Study, history: History, metric: Metric | str | None) -> Metric:
    first = study.objective
    if metric is None or metric == first.name:
        return first
    name = metric if isinstance(metric, str) else metric.name
    known = Counter(own for trial in history.trials for own in trial.curves)
    if name not in known:
        names = [own for own, _ in known.most_common()]
        hint = did_you_mean(name, names) if names else "no trial has reported any"
        raise StudyError(
            f"study {study.name!r} has no trial that reported {name!r}: {hint}"
        )
    if isinstance(metric, Metric):
        return metric
    return Metric(name, maximize=maximized(name, first), at=first.at)
