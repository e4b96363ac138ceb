"""A small study, for tests of what happens to studies."""

from __future__ import annotations

from typing import Any

from danlu import Float, Study


def bowl(**changes: Any) -> Study:
    """Where is the minimum of x squared? Ten trials of three steps, unless changed."""
    fields: dict[str, Any] = {
        "name": "bowl",
        "goal": "Where is the minimum?",
        "metric": "loss",
        "space": {"x": Float(0, 1)},
        "trials": 10,
        "max_steps": 3,
        "sampler": "quasi_random",
        **changes,
    }
    return Study(**fields)
