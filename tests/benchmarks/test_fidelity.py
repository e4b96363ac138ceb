from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.fidelity import Course, main, regret, run, sooner, tables
from benchmarks.regret import read
from benchmarks.scores import scores
from benchmarks.speaker import Speaker
from benchmarks.trainings import Training

RECORD: dict[str, Any] = {
    "task": "family:one",
    "method": "auto+auto",
    "workers": 1,
    "setting": "1 worker",
    "seed": 0,
    "steps": 10,
    "trainings": 50,
    "best": 0.0,
    "median": 0.5,
    "numbers": [0],
    "seen": [0.1],
    "found": [(5, 0.4, 0.3), (60, 0.1, 0.2), (400, 0.05, 0.0)],
}
BEHIND = {**RECORD, "method": "gp+full", "found": [(400, 0.2, 0.2)]}


class Steps(Speaker):
    """A speaker that trains every trial for two stretches of two steps."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []
        self._going_on: list[tuple[int, int]] = []
        self._asked = 0

    def say(self, verb: str, said: Any) -> dict[str, Any]:
        if verb == "tell":
            self.told.append((said["id"], said["fidelity"]))
            if said["fidelity"] < 4:
                self._going_on.append((said["id"], 4))
        if verb != "ask":
            return {"ok": True}
        if not self._going_on:
            self._going_on.append((self._asked, 2))
            self._asked += 1
        number, fidelity = self._going_on.pop()
        return {"id": number, "fidelity": fidelity, "config": {"number": number}}


def _training(steps: int = 4) -> Training:
    def curve(
        params: Any, first: int, last: int, seed: int
    ) -> tuple[list[float], list[float]]:
        losses = [1 / (step + params["number"]) for step in range(first + 1, last + 1)]
        return losses, losses

    return Training("family:one", [], steps, curve, 0.0, 1.0)


def test_a_run_costs_what_it_may_and_no_step_more() -> None:
    speaker = Steps()

    found = run(speaker, _training(), Course(trainings=2, workers=1, seed=0))

    assert speaker.told == [(0, 2), (0, 4), (1, 2), (1, 4)]
    assert found["found"][-1] == (8, 1 / 5, 1 / 5)
    assert found["seen"] == [1 / 4, 1 / 5]


def test_the_last_stretch_is_cut_at_the_end_of_the_budget() -> None:
    speaker = Steps()

    run(speaker, _training(steps=5), Course(trainings=1, workers=1, seed=0))

    assert speaker.told == [(0, 2), (0, 4), (1, 1)]


def test_more_workers_train_as_many_steps_in_less_time() -> None:
    alone, together = (
        run(Steps(), _training(), Course(trainings=9, workers=workers, seed=0))
        for workers in (1, 3)
    )

    assert together["clock"] < alone["clock"] / 2
    assert len(together["numbers"]) == len(alone["numbers"]) == 9


def test_regret_is_that_of_the_model_seen_as_best() -> None:
    assert regret(RECORD, (0.0, 0.5), (0.4, 0.5, 5.9, 6, 50)) == pytest.approx(
        [1.0, 0.6, 0.6, 0.4, 0.0]
    )


def test_how_much_sooner_a_method_is_where_the_reference_ends() -> None:
    records = [RECORD, BEHIND]
    own = scores(records, (5, 50), regret)
    assert own is not None

    found = sooner(records, own)

    assert found["auto+auto", "1 worker"].tolist() == pytest.approx([50 / 6])
    assert found["gp+full", "1 worker"].tolist() == pytest.approx([50 / 40])


def test_a_method_that_never_comes_there_is_no_times_sooner() -> None:
    records = [RECORD, BEHIND, {**BEHIND, "setting": "4 workers", "found": []}]
    own = scores(records, (5, 50), regret)
    assert own is not None

    assert sooner(records, own)["gp+full", "4 workers"].tolist() == [0.0]


def test_the_tables_say_what_workers_cost() -> None:
    several = {**RECORD, "setting": "4 workers", "found": [(5, 0.4, 0.45)]}

    regrets, workers = tables([RECORD, several], (5, 10, 25, 50))

    assert regrets.startswith(
        "family, regret after full trainings (family:one; 1 seed)"
    )
    assert "| auto+auto, 4 workers | 1.50 (1.50 to 1.50) |" in workers


@pytest.mark.slow
def test_a_run_that_is_there_is_not_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.jsonl"
    words = ["--method", "random+asha", "--task", "learning:0", "--seeds", "0-0"]
    words += ["--workers", "1,4", "--results", str(results), "--budget", "5"]
    main(words)
    first = capsys.readouterr()

    main(words)

    again = capsys.readouterr()
    assert again.err == ""
    assert again.out == first.out
    records = read(results)
    assert [one["workers"] for one in records] == [1, 4]
    assert [one["trainings"] for one in records] == [5, 5]
    assert np.isfinite([one["clock"] for one in records]).all()
