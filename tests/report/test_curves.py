from __future__ import annotations

import math

import numpy as np

from danlu.analysis.summary import Summary, summarize
from danlu.domain import Float
from danlu.history import History
from danlu.report.curves import panels, thinned
from danlu.study import Study
from danlu.trial import Curve, State, Trial


def summary(*names: str, metric: str, trials: int = 8) -> Summary:
    study = Study(
        name="s", goal="Which?", metric=metric, space={"x": Float(0, 1)}, trials=trials
    )
    made = [
        Trial(
            number,
            {"x": 0.5},
            State.COMPLETED,
            curves={name: Curve.of({1: 1.0, 2: number / 10}) for name in names},
        )
        for number in range(trials)
    ]
    return summarize(study, History(study.search_space, study.objective, made))


def test_the_training_side_of_the_metric_stands_beside_it() -> None:
    found = panels(summary("val_error", "train_error", metric="val_error"))
    assert [panel.names for panel in found] == [("val_error", "train_error")]
    assert [series.training for series in found[0].best] == [False] * 5 + [True] * 5


def test_a_training_loss_without_a_partner_has_its_own_panel() -> None:
    found = panels(summary("val_error", "train_loss", "val_loss", metric="val_error"))
    assert [panel.names for panel in found] == [
        ("val_error",),
        ("train_loss", "val_loss"),
    ]


def test_a_metric_alone_has_one_panel() -> None:
    assert [p.names for p in panels(summary("loss", metric="loss"))] == [("loss",)]


def test_trials_behind_the_best_are_sampled_and_counted() -> None:
    (panel,) = panels(summary("loss", metric="loss", trials=200))
    assert (len(panel.others), panel.rest) == (60, 195)


def test_a_study_without_curves_has_no_panel() -> None:
    assert panels(summary(metric="loss")) == ()


def test_a_thinned_curve_keeps_its_ends_and_its_extremes() -> None:
    values = np.sin(np.arange(10_000) / 50)
    values[1234], values[5678], values[7000:7100] = -9.0, 9.0, math.nan
    curve = thinned(Curve(np.arange(10_000), values), 100)
    assert len(curve) <= 102
    assert (curve.steps[0], curve.steps[-1]) == (0, 9999)
    assert (np.nanmin(curve.values), np.nanmax(curve.values)) == (-9.0, 9.0)


def test_a_short_curve_is_not_thinned() -> None:
    curve = Curve.of({1: 0.5, 2: 0.4})
    assert thinned(curve, 100) == curve
