"""Samplers that do linear algebra keep BLAS to one thread, and give it back."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from threadpoolctl import threadpool_info, threadpool_limits

import danlu
from danlu.blas import on_one_thread


def _threads() -> set[int]:
    assert scipy.linalg is not None  # or its library would not be loaded
    return {
        own["num_threads"] for own in threadpool_info() if own["user_api"] == "blas"
    }


def test_work_on_one_thread_gives_the_others_back() -> None:
    with threadpool_limits(2, user_api="blas"):
        during = on_one_thread(_threads)()
        after = _threads()

    assert (during, after) == ({1}, {2})


def test_an_error_gives_them_back_too() -> None:
    @on_one_thread
    def fail() -> None:
        raise ValueError("no")

    with threadpool_limits(2, user_api="blas"):
        with pytest.raises(ValueError, match="no"):
            fail()
        assert _threads() == {2}


def test_the_gaussian_process_is_asked_on_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[set[int]] = []
    space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    history = danlu.History(space, danlu.Metric("loss"))
    decode = danlu.SearchSpace.decode

    def noted(own: danlu.SearchSpace, point: np.ndarray) -> danlu.Params:
        seen.append(_threads())
        return decode(own, point)

    monkeypatch.setattr(danlu.SearchSpace, "decode", noted)
    with threadpool_limits(2, user_api="blas"):
        danlu.samplers.GP().ask(history, np.random.default_rng(0))

    assert seen == [{1}]
