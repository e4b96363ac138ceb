from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import kendalltau

import danlu
from danlu.analysis.agreement import Agreement, agreements, kendall_tau
from danlu.report import summarize, text
from danlu.trial import Curve, State, Trial
from tests.studies import bowl

SPACE = danlu.SearchSpace({"x": danlu.Float(0, 1)})


def known(early: Sequence[float], late: Sequence[float], *more: Trial) -> danlu.History:
    trials = [
        Trial(
            number,
            {"x": 0.5},
            State.COMPLETED,
            curves={"loss": Curve.of({3: first, 9: last})},
        )
        for number, (first, last) in enumerate(zip(early, late, strict=True))
    ]
    metric = danlu.Metric("loss", at="last")
    return danlu.History(SPACE, metric, [*trials, *more], max_steps=9)


def stopped(number: int) -> Trial:
    curves = {"loss": Curve.of({3: 9.0})}
    return Trial(number, {"x": 0.5}, State.STOPPED, curves=curves)


def test_ties_count_as_kendall_says() -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.integers(0, 5, 40).astype(float) for _ in range(2))

    assert kendall_tau(x, y) == pytest.approx(kendalltau(x, y).statistic)


def test_the_interval_holds_the_truth_nineteen_times_in_twenty() -> None:
    rng, inside = np.random.default_rng(1), 0
    truth = 2 / np.pi * np.arcsin(0.6)  # of two normal samples with correlation 0.6
    for _ in range(400):
        early, noise = rng.normal(size=(2, 30))
        (own,) = agreements(known(early.tolist(), (0.6 * early + 0.8 * noise).tolist()))
        inside += own.low <= truth <= own.high

    assert 0.92 <= inside / 400 <= 0.98


def test_an_order_that_turns_around_is_not_told() -> None:
    losses = list(range(12))

    (own,) = agreements(known(losses, losses[::-1]))

    assert (own.step, own.tau, own.told, own.selected) == (3, -1.0, False, False)


def test_trials_that_were_stopped_make_the_others_selected() -> None:
    losses = list(range(12))

    (own,) = agreements(known(losses, losses, stopped(12)))

    assert own.selected
    assert own.trials == 12


def test_nine_trials_are_too_few() -> None:
    losses = list(range(9))

    assert agreements(known(losses, losses)) == ()


def test_equal_losses_have_no_order() -> None:
    assert agreements(known([1.0] * 12, list(range(12)))) == ()


def test_the_report_says_what_cannot_be_told() -> None:
    rng = np.random.default_rng(2)
    history = known(rng.random(20).tolist(), rng.random(20).tolist(), stopped(20))
    study = bowl(trials=20, max_steps=9, metric=history.metric)

    page = " ".join(text(summarize(study, history)).split())

    assert "Do short runs tell who is best? At step 3 of 9 the better" in page
    assert "cannot be told from chance: do not conclude from runs so short" in page
    assert "These are the trials that were let go on" in page


def test_half_of_the_pairs_are_in_order_at_tau_zero() -> None:
    assert Agreement(3, 9, 12, 0.0, -0.4, 0.4, selected=False).in_order == 0.5
