from __future__ import annotations

import math
import random

import pytest

from danlu.training import EarlyStopping, best_step
from danlu.training.stopping import noise_of, smoothed_curve

NOISE = 0.03


def falling(seed: int, *, rise: float = 0.0) -> tuple[list[float], list[float]]:
    """A true curve of 400 evaluations, and what is measured of it."""
    rng = random.Random(seed)
    true = [math.exp(-t / 40) + rise * max(t - 120, 0) for t in range(400)]
    return true, [value + rng.gauss(0, NOISE) for value in true]


def stop(values: list[float], stopping: EarlyStopping) -> int:
    return next(at for at, value in enumerate(values) if stopping.update(value))


def test_training_is_not_stopped_while_it_gains_more_than_the_noise() -> None:
    early = 0
    for seed in range(100):
        true, measured = falling(seed)
        at = stop(measured, EarlyStopping(patience=20, noise=NOISE))
        early += true[at - 19] - true[at] > 2 * NOISE

    assert early <= 2  # of 100: at most about one in fifty


def test_training_is_stopped_once_it_gains_nothing() -> None:
    ends = [stop(falling(seed)[1], EarlyStopping(patience=20)) for seed in range(100)]

    assert max(ends) < 250  # a hundredth of the start is left after 184


def test_a_metric_to_maximize_is_the_mirror() -> None:
    values = falling(0)[1]

    assert stop(values, EarlyStopping(patience=10)) == stop(
        [-value for value in values], EarlyStopping(patience=10, maximize=True)
    )


def test_a_curve_without_noise_goes_on_while_it_falls() -> None:
    stopping = EarlyStopping(patience=5, noise=0.0)

    assert not any(stopping.update(1 / (1 + step)) for step in range(500))
    assert stopping.update(10.0)


def test_a_run_that_diverged_is_stopped() -> None:
    stopping = EarlyStopping(patience=5)

    ends = [stopping.update(value) for value in [0.5, 0.4, *[math.nan] * 5]]

    assert ends[-1]


def test_one_value_that_is_not_finite_does_not_stop_it() -> None:
    stopping = EarlyStopping(patience=5, noise=0.0)
    values = [1.0, 0.9, math.inf, 0.7, 0.6, 0.5]

    assert not any(stopping.update(value) for value in values)


def test_it_goes_on_from_its_state() -> None:
    values = falling(3)[1]
    whole = stop(values, EarlyStopping(patience=10))
    first, second = EarlyStopping(patience=10), EarlyStopping(patience=10)
    for value in values[:30]:
        first.update(value)
    second.load_state_dict(first.state_dict())

    assert whole == 30 + stop(values[30:], second)


@pytest.mark.parametrize(("patience", "noise"), [(4, 0.1), (10, -1.0), (10, math.nan)])
def test_impossible_settings_are_refused(patience: int, noise: float) -> None:
    with pytest.raises(ValueError, match="EarlyStopping needs"):
        EarlyStopping(patience=patience, noise=noise)


def test_the_noise_is_found_under_a_trend() -> None:
    found = [noise_of(falling(seed)[1]) for seed in range(20)]

    assert sum(found) / 20 == pytest.approx(NOISE, rel=0.1)


def test_the_best_step_is_better_than_the_luckiest_one() -> None:
    regret, lucky_regret = 0.0, 0.0
    for seed in range(30):
        true, measured = falling(seed, rise=0.002)
        lucky = min(range(400), key=measured.__getitem__)
        chosen = best_step(range(400), measured)
        regret += true[chosen] - min(true)
        lucky_regret += true[lucky] - min(true)

    assert regret < 0.7 * lucky_regret


def test_without_noise_the_best_step_is_the_smallest() -> None:
    losses = [(step - 37) ** 2 / 100 for step in range(100)]

    assert 37 == best_step(range(100), losses)


def test_only_what_is_kept_can_be_the_best() -> None:
    losses = [(step - 37) ** 2 / 100 for step in range(100)]

    assert 40 == best_step(range(100), losses, kept=[10, 20, 40, 90])


def test_losses_that_are_not_finite_are_never_best() -> None:
    assert 2 == best_step([1, 2, 3], [math.nan, 0.5, math.inf])


def test_no_loss_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="none of a step"):
        best_step([1], [math.nan])


def test_a_straight_line_is_not_changed_by_smoothing() -> None:
    line = [3.0 - 0.5 * step for step in range(30)]

    assert line == pytest.approx(smoothed_curve(line))
