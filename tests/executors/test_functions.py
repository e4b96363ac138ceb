"""What a training function may return, and how it travels."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from danlu.errors import ExecutorError
from danlu.executors.functions import imported_names, packed


def train(trial: Any) -> None:
    import colorsys

    def inner() -> None:
        from wave import open as read  # noqa: F401

    _ = colorsys, inner


class Trainer:
    def __call__(self, trial: Any) -> None:
        import colorsys  # noqa: F401


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (train, ("colorsys", "wave")),
        (functools.partial(train, 1), ("colorsys", "wave")),
        (Trainer(), ("colorsys",)),
        (len, ()),
        (lambda trial: 1, ()),
    ],
)
def test_imports_within_a_function_are_found(
    function: Callable[..., Any], expected: tuple[str, ...]
) -> None:
    assert imported_names(function) == expected


def test_what_cannot_travel_is_refused() -> None:
    lock = threading.Lock()
    with pytest.raises(ExecutorError, match="cannot be sent to another process"):
        packed(lambda trial: lock)
