from __future__ import annotations

import numpy as np
import pytest

from danlu.analysis.classes import Classes, classes
from tests.analysis.curves import Array, cosine, falling, known, noisy, plateau

SHARE = np.linspace(0, 1, 60)
BENT = np.asarray(plateau(60) + 0.2 * np.maximum(0, 2 * SHARE - 1))


def found(validation: Array, training: Array) -> Classes:
    rng = np.random.default_rng(0)
    curves = {name: noisy(own, rng, 24) for name, own in {"val": validation}.items()}
    _, history = known(**curves, train_loss=noisy(training, rng, 24))
    return classes(history)


def spiked() -> Array:
    curve = falling(60)
    curve[40] += 0.6
    return curve


@pytest.mark.parametrize(
    ("name", "validation", "training"),
    [
        ("overfitting", BENT, falling(60)),
        ("rising", cosine(60), BENT),
        ("still improving", 1 - SHARE, 1 - SHARE),
        ("unstable", cosine(60), spiked()),
        ("periodic", 0.05 * np.sin(np.arange(60)) + falling(60), falling(60)),
    ],
)
def test_each_class_is_told(name: str, validation: Array, training: Array) -> None:
    own = found(validation, training)

    assert own.share(name) >= 0.9
    others = set(own.trials) - {name}
    assert all(own.share(other) <= 0.25 for other in others)


def test_a_flat_curve_is_saturated_in_most_trials() -> None:
    own = found(plateau(60), plateau(60))

    assert own.share("saturated") >= 0.5
    assert own.share("still improving") == 0


def test_the_best_step_of_each_trial_is_known() -> None:
    own = found(BENT, falling(60))

    assert len(own.best_steps) == 24
    assert all(3 <= step <= 45 for step in own.best_steps.values())
