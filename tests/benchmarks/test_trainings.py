from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.surfaces import NOISE, optimum, smooth
from benchmarks.trainings import FULL, from_folder, learning


def test_a_training_comes_to_the_loss_of_its_params() -> None:
    params = {**optimum(0), "dropout": 0.1}

    _, true = learning(0).curve(params, 0, FULL, 3)

    assert len(true) == FULL
    assert true[-1] == pytest.approx(smooth(0).train(params, 3)[1])
    assert true == sorted(true, reverse=True)


def test_the_best_params_end_at_the_best_loss() -> None:
    training = learning(1)

    _, true = training.curve(optimum(1), 0, FULL, 0)

    assert true[-1] == pytest.approx(training.best)


def test_a_hotter_training_is_ahead_first_and_behind_at_the_end() -> None:
    best = optimum(0)
    hotter = {**best, "lr": best["lr"] * 3}

    curves = [learning(0).curve(params, 0, FULL, 0)[1] for params in (best, hotter)]

    assert curves[1][0] < curves[0][0]
    assert curves[1][-1] > curves[0][-1]


def test_a_training_goes_on_from_where_it_was() -> None:
    training = learning(2)

    whole, _ = training.curve(optimum(2), 0, FULL, 5)
    first, _ = training.curve(optimum(2), 0, 10, 5)
    rest, _ = training.curve(optimum(2), 10, FULL, 5)

    assert [*first, *rest] == whole


def test_noise_is_that_of_the_seed() -> None:
    seen, true = learning(0).curve(optimum(0), 0, FULL, 0)
    other, _ = learning(0).curve(optimum(0), 0, FULL, 1)

    noise = np.array(seen) - np.array(true)
    assert 0.5 * NOISE < noise.std() < 2 * NOISE
    assert seen != other


TASKS = """
class Task:
    name, space, max_fidelity = "family:one", [], 4
    stats = {"best": 0.2, "best_any": 0.1, "median": 0.5}

    def curve(self, params, first, last, seed):
        return [(step, 1 / step, 9.0) for step in range(first + 1, last + 1)]


def get_task(name):
    return Task()
"""


def test_a_folder_of_tasks_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", ["kept"])
    monkeypatch.delitem(__import__("sys").modules, "tasks", raising=False)
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "splits.json").write_text(json.dumps({"dev_mf": ["family:one"]}))

    (training,) = from_folder(tmp_path, "dev_mf")

    assert (training.steps, training.best, training.median) == (4, 0.1, 0.5)
    assert training.curve({}, 1, 3, 0) == ([1 / 2, 1 / 3], [1 / 2, 1 / 3])
