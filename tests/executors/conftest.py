"""Real trials for the tests of executors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from danlu.executors import Event, Exited, Launch, Limits, Local, Reported
from danlu.trial import Report, Trial

HANG_S = 60.0


@dataclass
class Bench:
    """Starts trials on one executor and collects what it tells of them."""

    executor: Local
    folder: Path
    events: list[Event] = field(default_factory=list)

    def launch(self, number: int = 0, attempt: int = 1, **params: Any) -> Launch:
        trial = Trial(number, params, seed=number, attempt=attempt)
        return Launch("s", trial, "loss", self.folder / str(number))

    def start(self, number: int = 0, **params: Any) -> None:
        self.executor.start(self.launch(number, **params))

    def exited(self, number: int = 0) -> Exited | None:
        mine = [event for event in self.events if event.number == number]
        return mine[-1] if mine and isinstance(mine[-1], Exited) else None

    def reports(self, number: int = 0) -> list[Report]:
        mine = [event for event in self.events if event.number == number]
        told = [event.reports for event in mine if isinstance(event, Reported)]
        return [report for reports in told for report in reports]

    def finish(self, number: int = 0) -> Exited:
        deadline = time.monotonic() + HANG_S
        while (exited := self.exited(number)) is None:
            assert time.monotonic() < deadline, "the trial hangs"
            self.executor.poll(self.events.append, 1.0)
        return exited

    def until_reported(self, number: int = 0) -> None:
        deadline = time.monotonic() + HANG_S
        while not self.reports(number):
            assert time.monotonic() < deadline, "the trial reports nothing"
            self.executor.poll(self.events.append, 1.0)

    def run(self, number: int = 0, **params: Any) -> Exited:
        self.start(number, **params)
        return self.finish(number)

    def text(self, number: int = 0) -> str:
        return (self.folder / str(number) / "output.log").read_text(encoding="utf-8")


class Workshop:
    """Makes benches and closes their executors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.executors: list[Local] = []

    def bench(self, train: Any, limits: Limits | None = None, **settings: Any) -> Bench:
        executor = Local(train, limits=limits, **settings)
        self.executors.append(executor)
        return Bench(executor, self.folder)


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path)
    yield workshop
    for executor in workshop.executors:
        executor.close()
