"""A trial whose reports are kept, and that may be told to end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from danlu.client import Channel, LiveTrial


class Kept(Channel):
    """Keeps reports; asks to end after `stop_at`; breaks down at `break_at`."""

    def __init__(self, stop_at: int | None = None, break_at: int | None = None) -> None:
        self.sent: list[tuple[int, Mapping[str, float]]] = []
        self.stop_at, self.break_at = stop_at, break_at

    def send(self, step: int, metrics: Mapping[str, float]) -> None:
        if step == self.break_at:
            raise OSError("the disk is full")
        self.sent.append((step, metrics))

    def stopping(self) -> bool:
        return self.stop_at is not None and self.sent[-1][0] >= self.stop_at

    @property
    def steps(self) -> list[int]:
        return [step for step, _ in self.sent]


def trial_in(
    folder: Path, channel: Channel, *, metric: str = "", budget: int | None = None
) -> LiveTrial:
    trial = LiveTrial({}, channel)
    trial.folder, trial.metric, trial.budget, trial.seed = folder, metric, budget, 3
    return trial
