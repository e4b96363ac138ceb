"""Several loops on one study: how they are started, watched, and what they must leave.

Each loop is a process of its own, `shared_study.py`, and says what it does in a file.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import danlu
from danlu.trial import State

SCRIPT = Path(__file__).with_name("shared_study.py")
PATIENCE_S = 120.0  # only to detect what hangs


@dataclass(frozen=True)
class Place:
    """A study on which several loops work."""

    url: str
    folder: Path
    trials: int

    def start(self, name: str, *settings: str, within: Sequence[str] = ()) -> Started:
        """A loop in its own process; `within` is the command that starts it."""
        self.folder.mkdir(exist_ok=True)
        said = self.folder / f"{name}.txt"
        place = self.url, str(self.folder), str(self.trials)
        words = [*within, sys.executable, str(SCRIPT), *place, *settings]
        with said.open("wb") as output:
            process = subprocess.Popen(words, stdout=output, stderr=output)
        return Started(name, process, said)

    def trials_now(self) -> Sequence[danlu.Trial]:
        """The trials as they are kept."""
        with danlu.open(self.url, self.folder) as project:
            return project.history("shared").trials

    def wait_for_ended(self, count: int) -> None:
        """Comes back when that many trials have ended."""
        deadline_s = time.monotonic() + PATIENCE_S
        with danlu.open(self.url, self.folder) as project:
            while time.monotonic() < deadline_s:
                known = project.history("shared").trials
                if sum(trial.state.ended for trial in known) >= count:
                    return
                time.sleep(0.05)
        raise AssertionError(f"{count} trials did not end")

    def check(self) -> Sequence[danlu.Trial]:
        """The trials, if each has ended once and nothing acknowledged is missing."""
        with danlu.open(self.url, self.folder) as project:
            known = project.history("shared").trials
            held = project.holdings("shared")
        assert [] == held
        assert list(range(self.trials)) == [trial.number for trial in known]
        assert {State.COMPLETED} == {trial.state for trial in known}
        kept = {(t.number, report.step) for t in known for report in t.reports}
        assert self._acknowledged() <= kept
        for trial in known:
            assert [1, 2, 3, 4, 5] == [report.step for report in trial.reports]
        return known

    def _acknowledged(self) -> set[tuple[int, int]]:
        lines = (self.folder / "ledger.txt").read_text().splitlines()
        rows = [[int(word) for word in line.split()] for line in lines]
        return {(number, step) for number, _, step in rows}


@dataclass(frozen=True)
class Started:
    """A loop that was started."""

    name: str
    process: subprocess.Popen[bytes]
    said: Path

    def wait_until_it_runs(self) -> None:
        """Comes back when the loop has a trial running."""
        deadline_s = time.monotonic() + PATIENCE_S
        while "running" not in self.said.read_text():
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() < deadline_s, f"{self.name} started no trial"
            time.sleep(0.02)

    def finish(self) -> str:
        """What it said, if it ended well."""
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        assert code == 0, f"{self.name}: {self.said.read_text()}"
        return self.said.read_text()


def wait_until_all_run(loops: Sequence[Started]) -> None:
    """Comes back when each loop has a trial running."""
    for started in loops:
        started.wait_until_it_runs()
