from __future__ import annotations

import sys

import pytest

from benchmarks.asks import ask_costs
from benchmarks.measure import COUNTS, OPTIONS, RATES, Side, per_ask_ms, spread, valley

OURS = Side("danlu", sys.executable)


def test_known_trials_are_in_the_space_and_the_same_each_time() -> None:
    for number in range(100):
        params = spread(number)
        assert params == spread(number)
        assert all(1e-5 <= params[name] <= 1 for name in RATES)
        assert all(low <= params[name] <= high for name, (low, high) in COUNTS.items())
        assert all(params[name] in options for name, options in OPTIONS.items())


def test_every_param_changes_the_loss() -> None:
    params = spread(0)

    for name in params:
        others = {**params, name: _another(name, params[name])}
        assert valley(params) != valley(others)


def test_asks_are_counted_after_two_that_warm_up() -> None:
    asked: list[object] = []

    per_ask_ms(lambda: asked.append(None), most=3, limit_s=60)

    assert 2 + 3 == len(asked)


def test_asks_that_take_long_are_counted_fewer_times() -> None:
    asked: list[object] = []

    per_ask_ms(lambda: asked.append(sum(range(10**6))), most=1000, limit_s=1e-3)

    assert 2 + 1 == len(asked)


def test_a_sampler_is_asked_in_a_process_of_its_own() -> None:
    (one,) = ask_costs(OURS, None, "random", counts=[5])

    assert ("CPU ms per ask, random, 5 trials", None) == (
        one["measured"],
        one["optuna"],
    )
    assert one["danlu"] > 0


def test_a_sampler_that_is_not_there_is_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert [] == ask_costs(OURS, None, "oracle", counts=[5])
    assert "danlu has no sampler 'oracle': left out" in capsys.readouterr().err


def _another(name: str, value: object) -> object:
    if name in OPTIONS:
        first, second, *_ = OPTIONS[name]
        return second if value == first else first
    return 1.0 if name in RATES else COUNTS[name][1]
