from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from danlu.samplers.gp.warp import warped


def test_losses_keep_their_proportions() -> None:
    losses = np.array([0.1, 0.2, 0.4, 0.5, 0.6, 0.7, 1e9])

    got = warped(losses)[:4]

    assert_allclose(np.diff(got) / np.diff(got)[0], [1.0, 2.0, 1.0])


def test_a_training_that_went_wrong_is_no_farther_than_a_bad_one() -> None:
    losses = np.array([0.1, 0.2, 0.3, 0.4, 0.5])

    got = warped(np.array([*losses, 1e6]))

    assert_allclose(got, warped(np.array([*losses, 1e12])), atol=1e-9)


def test_the_order_stays() -> None:
    losses = np.random.default_rng(0).lognormal(0, 3, 50)

    assert (np.diff(warped(losses)[np.argsort(losses)]) >= 0).all()


@pytest.mark.parametrize(
    "losses", [[1.0], [2.0, 2.0], [1e300, -1e300, 0.0, 5e-324, 1.0, 1.0], [0.0, 0.0]]
)
def test_no_loss_is_too_strange(losses: list[float]) -> None:
    assert np.isfinite(warped(np.array(losses))).all()


def test_what_was_added_and_multiplied_is_taken_away() -> None:
    losses = np.random.default_rng(0).random(20)

    assert_allclose(warped(1000 * losses + 5), warped(losses), atol=1e-9)


def test_good_losses_stay_apart_when_most_trainings_went_wrong() -> None:
    losses = np.concatenate((np.linspace(0.1, 0.5, 20), np.full(40, 1e6)))

    assert np.ptp(warped(losses)[:20]) > 0.03


def test_the_rest_stays_apart_when_many_are_equally_good() -> None:
    losses = np.array([0.1, 0.1, 0.1, 0.1, 0.3, 0.5])

    assert (np.diff(warped(losses)[3:]) > 0).all()


@pytest.mark.parametrize("bad", [1e2, 1e4, 1e12])
def test_losses_far_above_all_others_leave_these_apart(bad: float) -> None:
    losses = np.linspace(0.0, 1.0, 30)
    alone = np.ptp(warped(losses))

    assert np.ptp(warped(np.array([*losses, *[bad] * 6]))[:30]) > alone / 3
