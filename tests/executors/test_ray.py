"""Trials on Ray: the contract, ends, and nodes that die in the middle of a study."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import danlu
from danlu.executors import Event, Ray
from danlu.testing import check_executor
from danlu.trial import Trial

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'danlu[ray]'")

HANG_S = 60.0
PRINTS = "for step in 1 2 3; do echo step=$step loss={x}; done"


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of one node with four places."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 4})
    yield cluster.address
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def make(cluster: str) -> Iterator[Callable[..., Ray]]:
    """Makes executors on the cluster, and closes them."""
    made = []

    def make(train: Any, **settings: Any) -> Ray:
        made.append(Ray(train, address=cluster, **settings))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def train(trial: Any) -> None:
    for step in (1, 2, 3):
        trial.report(step, loss=trial.params["x"])


def launch(folder: Path, number: int = 0) -> danlu.executors.Launch:
    trial = Trial(number, {"x": 0.5})
    return danlu.executors.Launch("s", trial, "loss", folder / str(number))


def until(
    executor: Ray, events: list[Event], kind: type[Event], number: int = 0
) -> Event:
    """The trial's first event of a kind."""
    deadline = time.monotonic() + HANG_S
    while True:
        for event in events:
            if event.number == number and isinstance(event, kind):
                return event
        assert time.monotonic() < deadline, f"nothing came but {events}"
        executor.poll(events.append, 0.5)


@pytest.mark.parametrize(
    ("task", "slots"),
    [(train, 1), (["bash", "-c", PRINTS], 2)],
    ids=["function", "command"],
)
def test_ray_holds_the_contract(
    make: Callable[..., Ray], task: Any, slots: int, tmp_path: Path
) -> None:
    check_executor(lambda: make(task, slots=slots), tmp_path)
