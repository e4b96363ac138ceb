from __future__ import annotations

import numpy as np
import pytest

from danlu.domain import Float
from danlu.errors import SamplerError, SpaceError
from danlu.history import History
from danlu.metric import Metric
from danlu.samplers import Fixed
from danlu.space import Params, SearchSpace

SPACE = SearchSpace({"x": Float(0, 1)}, {"epochs": 3})
RNG = np.random.default_rng(0)


def ask(sampler: Fixed, position: int) -> Params | None:
    suggestion = sampler.ask(History(SPACE, Metric("loss"), position=position), RNG)
    return None if suggestion is None else suggestion.params


def test_params_come_in_the_order_of_the_list_and_then_none() -> None:
    sampler = Fixed([{"x": 0.1}, {"x": 0.9, "epochs": 3}])

    given = [ask(sampler, position) for position in range(3)]

    assert [{"x": 0.1, "epochs": 3}, {"x": 0.9, "epochs": 3}, None] == given


def test_params_outside_the_space_are_refused() -> None:
    with pytest.raises(SpaceError, match="7 is not in"):
        ask(Fixed([{"x": 7}]), 0)


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(SamplerError, match="at least one set of params, got none"):
        Fixed([])
