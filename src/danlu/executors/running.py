"""One trial that runs in processes of this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .base import Exited, Launch, Reported
from .ended import Ended
from .handover import size_of
from .outcome import judged, tail_of
from .reports import OutputReader, ReportReader


@dataclass
class Running:
    """A trial in processes of its own: what is read of it, and when to look again.

    `kill_at_s` is when the grace of one that was asked to end is over. `ended` is None
    until its program has ended.
    """

    launch: Launch
    reports: ReportReader
    output: OutputReader | None
    output_offset: int
    began_s: float = 0.0
    weigh_at_s: float = 0.0
    pid: int | None = None
    kill_at_s: float | None = None
    ended: Ended | None = None

    def __post_init__(self) -> None:
        self.began_s = time.monotonic()

    @property
    def printed_bytes(self) -> int:
        """How much this attempt has printed so far."""
        return size_of(self.launch.folder / "output.log") - self.output_offset

    def reported(self) -> Reported | None:
        """What is new since the last call; everything, once the program has ended."""
        reader = self.reports
        at_end = self.ended is not None
        reports, complaints = reader.read_to_end() if at_end else reader.read()
        if self.output is not None and not reader.began:
            output = self.output
            reports = output.read_to_end() if at_end else output.read()
        if not reports and not complaints:
            return None
        number = self.launch.trial.number
        return Reported(number, tuple(reports), tuple(complaints))


def exited(launch: Launch, ended: Ended, offset: int) -> Exited:
    """The event of a trial's end."""
    tail = tail_of(launch.folder / "output.log", offset)
    outcome, reason = judged(ended, tail)
    return Exited(launch.trial.number, outcome, reason, tail)
