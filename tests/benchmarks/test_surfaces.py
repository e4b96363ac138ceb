from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.protocol import domains, ended_study
from benchmarks.surfaces import (
    FLOOR,
    NETWORK,
    NOISE,
    TRAINING,
    conditional,
    diverging,
    moved,
    network_optimum,
    optimum,
    smooth,
)
from benchmarks.task import (
    Task,
    after,
    believing,
    digits,
    entry,
    from_folder,
    options,
    place,
    random_params,
    value_at,
)
from danlu import Belief, Choice, Int, SearchSpace

INSTANCES = range(3)
THEIR_TASKS = """
class Task:
    name = "family:one"
    space = [{"name": "lr", "type": "float", "low": 0.0, "high": 1.0, "log": False}]
    stats = {"best": 0.0, "median": 0.5}

    def evaluate(self, config, fidelity, seed):
        return {"val_error": config["lr"] + seed, "true_error": config["lr"]}


def get_task(name):
    return Task()
"""


@pytest.mark.parametrize("instance", INSTANCES)
def test_a_training_is_best_at_its_optimum(instance: int) -> None:
    _, true = smooth(instance).train(optimum(instance), 0)

    assert true == pytest.approx(FLOOR, abs=1e-12)


@pytest.mark.parametrize("instance", INSTANCES)
def test_a_network_is_best_at_its_optimum(instance: int) -> None:
    _, true = conditional(instance).train(network_optimum(instance), 0)

    assert true == pytest.approx(FLOOR, abs=1e-12)


@pytest.mark.parametrize("task", [smooth(0), conditional(0)], ids=lambda one: one.name)
def test_the_median_is_that_of_random_params(task: Task) -> None:
    rng = np.random.default_rng(9)
    true = [task.train(random_params(task.space, rng), 0)[1] for _ in range(1000)]

    assert task.median == pytest.approx(np.median(true), abs=0.03)
    assert min(true) > FLOOR


def test_a_third_of_the_space_diverges() -> None:
    task, rng = diverging("edge", 0.2), np.random.default_rng(9)
    seen = [task.train(random_params(task.space, rng), 0)[0] for _ in range(3000)]

    assert pytest.approx(1 / 3, abs=0.05) == np.mean(np.isnan(seen))


def test_what_is_seen_is_noisy_and_the_same_again() -> None:
    task, params = smooth(0), optimum(0)
    seen = [task.train(params, seed)[0] for seed in range(200)]

    assert seen == [task.train(params, seed)[0] for seed in range(200)]
    assert pytest.approx(NOISE, rel=0.2) == np.std(seen)


def test_widths_come_with_the_depth() -> None:
    space = SearchSpace(domains(NETWORK))
    depth = space.domains["depth"]

    assert isinstance(depth, Choice)
    assert depth.ordered
    assert [1, 2, 3, 4] == [len(own) for own in depth.branches.values()]


@pytest.mark.parametrize(
    "one",
    [
        entry("lr", 1e-5, 1.0, log=True),
        entry("width", 8, 1024, log=True),
        options("depth", [1, 2, 3]),
    ],
    ids=lambda one: one["name"],
)
def test_a_place_and_its_value_belong_together(one: dict[str, object]) -> None:
    values = [value_at(one, u) for u in (0.0, 0.25, 0.5, 1.0)]

    assert values == [value_at(one, place(one, value)) for value in values]


def test_a_belief_reaches_the_sampler() -> None:
    task = believing(smooth(0), {"layers": 4}, 0.8)

    found = domains(task.space)

    assert Int(1, 8, belief=Belief(4, 0.8)) == found["layers"]
    assert [None] * (len(TRAINING) - 1) == [
        own.belief for name, own in found.items() if name != "layers"
    ]


def test_a_folder_s_tasks_are_taken_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tasks.py").write_text(THEIR_TASKS, "utf-8")
    (tmp_path / "splits.json").write_text(json.dumps({"few": ["family:one"]}), "utf-8")
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])

    (task,) = from_folder(tmp_path, "few")

    assert ("family", 0.0, 0.5) == (task.family, task.best, task.median)
    assert (2.25, 0.25) == task.train({"lr": 0.25}, 2)


def test_a_network_learns_digits() -> None:
    task = digits()
    params = {"solver": "adam", "adam_lr": 3e-3, "beta_1": 0.9, "depth": 1}
    params |= {"width_1": 64, "alpha": 1e-4, "batch_size": 32}

    seen, true = task.train(params, 0)

    assert seen == true < 0.3


def test_a_network_that_diverges_has_no_loss() -> None:
    params = {"solver": "sgd", "sgd_lr": 1e300, "momentum": 0.99, "depth": 1}
    params |= {"width_1": 64, "alpha": 1e-4, "batch_size": 32}

    assert np.isnan(digits().train(params, 0)).all()


def test_a_moved_training_is_best_where_it_was_moved_to() -> None:
    best = {**optimum(0), "layers": 2, "batch_size": 100}
    changed = moved(0, best, changed=True)

    own = {one["name"]: best[one["name"]] for one in changed.space}

    assert moved(0, best).train(best, 0)[1] == pytest.approx(FLOOR, abs=1e-12)
    assert changed.train(own, 0)[1] == pytest.approx(FLOOR, abs=1e-12)
    assert "warmup" not in own


def test_an_earlier_study_is_random_trials_of_another_task() -> None:
    before = moved(1, optimum(0))

    (earlier,) = after(smooth(0), before, 20).earlier

    known = ended_study(earlier)
    losses = [loss for _, loss in earlier["trials"]]
    assert known.observed()[1].tolist() == losses
    assert losses == [before.train(params, 0)[0] for params, _ in earlier["trials"]]
