"""What one trial may use before it is ended."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import ExecutorError


@dataclass(frozen=True)
class Limits:
    """Wall time, memory and output of a trial, and the time it gets to end by itself.

    `time_s` and `memory_bytes` None mean no limit. The memory of all processes of a
    trial counts together. A trial that prints more than `output_bytes` is taken for one
    that prints for ever, and fails before it fills the disk. One that is asked to end
    is killed after `grace_s`.

    >>> import danlu
    >>> danlu.executors.Limits(time_s=600, memory_bytes=4 * 2**30).grace_s
    30.0

    Raises:
        ExecutorError: a limit is not a positive number.
    """

    time_s: float | None = None
    memory_bytes: int | None = None
    grace_s: float = 30.0
    output_bytes: int = 2**30

    def __post_init__(self) -> None:
        for name in ("time_s", "memory_bytes", "output_bytes"):
            limit = getattr(self, name)
            if limit is not None and not _positive(limit):
                raise ExecutorError(f"Limits({name}=...) is above 0, got {limit!r}")
        if not _positive(self.grace_s) and self.grace_s != 0:
            raise ExecutorError(f"Limits(grace_s=...) is from 0, got {self.grace_s!r}")


def _positive(limit: object) -> bool:
    is_number = isinstance(limit, int | float) and not isinstance(limit, bool)
    return is_number and math.isfinite(limit) and limit > 0  # type: ignore[arg-type,operator]
