"""Learning curves with known truth, as a study's history."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from danlu.history import History
from danlu.study import Study
from danlu.trial import Curve, State, Trial
from tests.studies import bowl

Array = NDArray[np.float64]


def falling(reports: int, power: float = 0.7) -> Array:
    """A power law: what is left of the loss after each report."""
    law: Array = np.arange(1.0, reports + 1) ** -power
    return law


def plateau(reports: int) -> Array:
    """Flat from a third of the training on."""
    late: Array = np.exp(-np.linspace(0, 30, reports))
    return late


def cosine(reports: int) -> Array:
    """Falls as the learning rate does: most of it late, and flat at the very end."""
    lr: Array = 0.5 * (1 + np.cos(np.linspace(0, np.pi, reports)))
    return 0.3 * lr + plateau(reports)


def dropping(reports: int) -> Array:
    """Flat, with a drop in the last tenth, where the learning rate goes to zero."""
    share = np.linspace(0, 1, reports)
    low: Array = plateau(reports) + 0.3 * np.minimum(1, (1 - share) / 0.1)
    return low


def one_cycle(reports: int) -> Array:
    """Falls, rises while the learning rate does, and falls again until the end."""
    share = np.linspace(0, 1, reports)
    bump: Array = 0.1 * np.exp(-(((share - 0.4) / 0.12) ** 2))
    return bump + np.exp(-8 * share)


HEALTHY = (falling, plateau, cosine, dropping, one_cycle)


def noisy(curve: Array, rng: Generator, trials: int, sd: float = 0.01) -> Array:
    """The curve (trials, m) with levels of the trials from 0.1 up and step noise."""
    levels = 0.1 + 0.3 * rng.random((trials, 1)) ** 2
    noise: Array = sd * rng.normal(size=(trials, len(curve)))
    return levels + curve + noise


def known(**metrics: Array) -> tuple[Study, History]:
    """A study whose trials reported these curves (n, m) each; the metric is `val`."""
    count, reports = metrics["val"].shape
    study = bowl(metric="val", trials=count, max_steps=reports)
    trials = [
        Trial(
            number,
            {"x": (number + 0.5) / count},
            State.COMPLETED,
            curves={name: curve(own[number]) for name, own in metrics.items()},
        )
        for number in range(count)
    ]
    space = study.search_space
    return study, History(space, study.objective, trials, max_steps=reports)


def curve(values: Array) -> Curve:
    return Curve(np.arange(1, len(values) + 1), values)


def levels(findings: object) -> list[str]:
    assert isinstance(findings, tuple)
    return [finding.level.value for finding in findings]


def plain(document: Mapping[str, object]) -> object:
    """The document through JSON and back."""
    import json

    return json.loads(json.dumps(document))
