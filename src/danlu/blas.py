"""Linear algebra on one thread, where the matrices are small.

The threads of BLAS wait for each other in busy loops. With matrices of some hundred
rows that costs more than they save: with 200 trials on two cores an ask of the Gaussian
process took 1.1 s of CPU instead of 0.04.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def on_one_thread(work: Callable[P, T]) -> Callable[P, T]:
    """`work` with BLAS held to one thread while it runs, in all of the process."""

    @wraps(work)
    def held(*args: P.args, **kwargs: P.kwargs) -> T:
        with _libraries().limit(limits=1, user_api="blas"):
            return work(*args, **kwargs)

    return held


@cache
def _libraries() -> Any:
    """Those that are loaded: scipy brings one of its own, beside numpy's."""
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
