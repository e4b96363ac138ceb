from __future__ import annotations

import numpy as np

from danlu.domain import Choice, Domain, Float, Int
from danlu.history import History
from danlu.propose.narrow import around, narrowed
from danlu.study import Study
from tests.histories import searched


def narrowed_around(best: float, seed: int, count: int = 60) -> dict[str, float]:
    """New bounds of x, of which the loss depends, beside y, of which it does not."""
    study, history = searched(
        {"x": Float(0, 1), "y": Float(0, 1)},
        lambda params: abs(params["x"] - best),
        count=count,
        seed=seed,
    )
    found = narrowed(study, history)
    assert "y" not in found or found["y"]["high"] - found["y"]["low"] > 0.3
    return found["x"]


def test_the_best_value_stays_in_the_narrowed_range() -> None:
    draws = np.random.default_rng(0).uniform(0.2, 0.8, 200)
    inside = [
        own["low"] <= best <= own["high"]
        for seed, best in enumerate(draws.tolist())
        if (own := narrowed_around(best, seed))
    ]
    assert np.mean(inside) > 0.95


def test_a_range_becomes_much_smaller_where_it_matters() -> None:
    own = narrowed_around(0.5, seed=1)
    assert own["high"] - own["low"] < 0.3


def test_too_few_trials_narrow_nothing() -> None:
    study, history = searched({"x": Float(0, 1)}, lambda p: p["x"], count=19)
    assert narrowed(study, history) == {}


def test_bounds_are_rounded_outwards_and_never_leave_the_range() -> None:
    study, history = searched(
        {"lr": Float(1.234e-3, 1.0, log=True)}, lambda p: p["lr"], count=40
    )
    own = narrowed(study, history)["lr"]
    assert own["low"] == 1.234e-3
    assert own["high"] == float(f"{own['high']:.2g}")


def test_whole_numbers_stay_whole() -> None:
    study, history = searched(
        {"k": Int(1, 1000, log=True)}, lambda p: abs(p["k"] - 30), count=60
    )
    own = narrowed(study, history)["k"]
    assert isinstance(own["low"], int)
    assert own["low"] <= 30 <= own["high"]


def test_an_option_that_never_is_among_the_best_leaves() -> None:
    space: dict[str, Domain] = {
        "x": Float(0, 1),
        "opt": Choice(["good", "fair", "bad"]),
    }
    study, history = searched(
        space, lambda p: p["x"] + 9.0 * (p["opt"] == "bad"), count=150
    )
    assert "bad" not in narrowed(study, history)["opt"]["options"]


def test_options_that_do_not_matter_all_stay() -> None:
    space: dict[str, Domain] = {"x": Float(0, 1), "opt": Choice(["a", "b"])}
    for seed in range(20):
        study, history = searched(space, lambda p: p["x"], count=60, seed=seed)
        assert "opt" not in narrowed(study, history)


def test_a_part_of_a_range_is_cut_at_its_edges() -> None:
    assert around(Float(0, 1), 0.05, 0.2) == {"low": 0.0, "high": 0.15}
    assert around(Int(1, 9), 9, 0.5) == {"low": 7, "high": 9}


def test_no_trial_narrows_nothing() -> None:
    study = Study("s", "Which x?", "loss", {"x": Float(0, 1)}, trials=9)
    assert narrowed(study, History(study.search_space, study.objective)) == {}


def test_many_trials_do_not_make_the_region_wide() -> None:
    space: dict[str, Domain] = {f"x{place}": Float(0, 1) for place in range(4)}
    study, history = searched(
        space, lambda p: sum((p[name] - 0.5) ** 2 for name in space), count=2000
    )
    assert len(narrowed(study, history)) == 4
