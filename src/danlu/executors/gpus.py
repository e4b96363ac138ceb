"""Hands out GPUs to trials: whole ones, several, or a share of one."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ExecutorError


class Gpus:
    """The GPUs of this machine and which trial holds what.

    `names` are what `CUDA_VISIBLE_DEVICES` understands. A trial gets `per_trial` of
    them: a whole number, or a share below 1 of one that it has company on.

    >>> gpus = Gpus(["0", "1"], per_trial=0.5)
    >>> [gpus.take(trial) for trial in range(4)], gpus.capacity
    (['0', '1', '0', '1'], 4)

    Raises:
        ExecutorError: the share is impossible.
    """

    def __init__(self, names: Sequence[str], per_trial: float) -> None:
        self.names = tuple(str(name) for name in names)
        self.per_trial = per_trial
        self._held: dict[int, tuple[str, ...]] = {}
        if not per_trial > 0 or (per_trial > 1 and per_trial != int(per_trial)):
            raise ExecutorError(
                f"gpus_per_trial is a share below 1 or a whole number, got {per_trial}"
            )
        if len(set(self.names)) < len(self.names):
            raise ExecutorError(f"gpus names one GPU twice: {list(self.names)}")
        if self.names and not self.capacity:
            raise ExecutorError(
                f"gpus_per_trial={per_trial}, but there are {len(self.names)} GPUs: "
                f"{list(self.names)}"
            )

    @property
    def capacity(self) -> int:
        """How many trials can hold GPUs at once."""
        if self.per_trial > 1:
            return len(self.names) // int(self.per_trial)
        return len(self.names) * self._shares

    def take(self, number: int) -> str:
        """The GPUs for a trial, least loaded first, as `CUDA_VISIBLE_DEVICES`."""
        count = max(1, int(self.per_trial))
        by_load = sorted(self.names, key=self._load)  # stable: of equals the first
        taken = tuple(by_load[:count])
        if any(self._load(name) >= self._shares for name in taken):
            raise ExecutorError(f"no GPU is free for trial {number}")
        self._held[number] = taken
        return ",".join(taken)

    def give(self, number: int) -> None:
        """Takes back what the trial held, if anything."""
        self._held.pop(number, None)

    @property
    def _shares(self) -> int:
        """How many trials fit on one GPU."""
        return max(1, int(1 / self.per_trial + 1e-9))  # 1 / 0.1 must not lose a share

    def _load(self, name: str) -> int:
        return sum(held.count(name) for held in self._held.values())
