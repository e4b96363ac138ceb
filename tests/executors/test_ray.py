"""Trials on Ray: the contract, ends, and nodes that die in the middle of a study."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

import danlu
from danlu.analysis import schedule_of
from danlu.checkpoints import Checkpoints
from danlu.errors import ExecutorError
from danlu.executors import Event, Exited, Launch, Limits, Outcome, Ray, Reported
from danlu.executors.ended import write_json
from danlu.executors.ray_folders import Place, hand_out, own_folder
from danlu.testing import check_executor
from danlu.trial import Trial

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'danlu[ray]'")

HANG_S = 60.0
_Kind = TypeVar("_Kind", Reported, Exited)
PRINTS = "for step in 1 2 3; do echo step=$step loss={x}; done"


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of one node with four places."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 4, "num_gpus": 1}
    )
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


def launch(folder: Path, number: int = 0, x: float = 0.5) -> Launch:
    trial = Trial(number, {"x": x})
    return Launch("s", trial, "loss", folder / str(number))


def reported(events: list[Event], number: int) -> Mapping[str, float]:
    """What the trial's first report says."""
    own = [event for event in events if event.number == number]
    return next(event.reports[0].metrics for event in own if hasattr(event, "reports"))


def until(
    executor: Ray, events: list[Event], kind: type[_Kind], number: int = 0
) -> _Kind:
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


def test_trials_share_a_gpu_and_have_the_runtime_environment(
    make: Callable[..., Ray], tmp_path: Path
) -> None:
    shows = 'echo "step=1 loss=$OWN gpu=$CUDA_VISIBLE_DEVICES"'
    own = {"env_vars": {"OWN": "7"}}
    executor = make(["bash", "-c", shows], slots=2, num_gpus=0.5, runtime_env=own)
    events: list[Event] = []
    executor.start(launch(tmp_path, 0))
    executor.start(launch(tmp_path, 1))
    for number in (0, 1):
        until(executor, events, Exited, number)

    told = [event for event in events if isinstance(event, Reported)]
    assert [{"loss": 7.0, "gpu": 0.0}] * 2 == [
        event.reports[0].metrics for event in told
    ]


# Ends


def test_a_trial_that_is_stopped_ends_and_its_actor_takes_the_next(
    make: Callable[..., Ray], tmp_path: Path
) -> None:
    executor = make(["bash", "-c", "echo step=1 loss=1; sleep {x}"])
    events: list[Event] = []
    executor.start(launch(tmp_path, 0, x=1000))
    until(executor, events, Reported)
    executor.stop(0)
    stopped = until(executor, events, Exited)
    executor.start(launch(tmp_path, 1, x=0))

    ended = until(executor, events, Exited, 1)
    assert Outcome.PREEMPTED is stopped.outcome
    assert Outcome.DONE is ended.outcome


def test_a_trial_that_ignores_a_stop_is_killed(
    make: Callable[..., Ray], tmp_path: Path
) -> None:
    ignores = "trap '' TERM; echo step=1 loss=1; while true; do sleep 0.1; done"
    executor = make(["bash", "-c", ignores], limits=Limits(grace_s=0.2))
    events: list[Event] = []
    executor.start(launch(tmp_path))
    until(executor, events, Reported)
    executor.stop(0)

    assert Outcome.PREEMPTED is until(executor, events, Exited).outcome


def test_a_trial_over_its_time_limit_is_ended(
    make: Callable[..., Ray], tmp_path: Path
) -> None:
    executor = make(["sleep", "1000"], limits=Limits(time_s=0.3, grace_s=1.0))
    events: list[Event] = []
    executor.start(launch(tmp_path))

    assert Outcome.OUT_OF_TIME is until(executor, events, Exited).outcome


def test_a_trial_whose_actor_dies_keeps_its_reports_and_has_failed(
    make: Callable[..., Ray], tmp_path: Path
) -> None:
    def kill_actor(trial: Any) -> None:
        import os
        import signal

        import psutil

        trial.report(1, loss=0.5)
        server = psutil.Process().parent()
        if server is not None:
            os.kill(server.ppid(), signal.SIGKILL)
        time.sleep(1000)

    executor = make(kill_actor)
    events: list[Event] = []
    executor.start(launch(tmp_path))
    exited = until(executor, events, Exited)

    told = [event.reports for event in events if isinstance(event, Reported)]
    assert 1 == told[0][0].step
    assert Outcome.FAILED is exited.outcome
    assert "Ray" in exited.reason


def test_an_actor_that_died_idle_is_replaced_and_no_trial_has_failed(
    make: Callable[..., Ray], tmp_path: Path
) -> None:
    executor = make(["bash", "-c", "echo step=1 loss=$PPID"])
    events: list[Event] = []
    executor.start(launch(tmp_path, 0))
    until(executor, events, Exited, 0)
    server = psutil.Process(int(reported(events, 0)["loss"]))
    os.kill(server.ppid(), signal.SIGKILL)
    executor.start(launch(tmp_path, 1))

    assert Outcome.DONE is until(executor, events, Exited, 1).outcome


def test_a_trial_that_waits_for_a_place_says_so_and_can_be_ended(
    make: Callable[..., Ray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("danlu.executors.ray.ROOM_S", 0.1)
    executor = make(["true"], num_cpus=1000)
    events: list[Event] = []
    executor.start(launch(tmp_path))
    waits = until(executor, events, Reported)
    executor.stop(0)

    assert (
        "waits for a place in the Ray cluster with num_cpus=1000, num_gpus=0.0"
        == (waits.complaints[0])
    )
    assert "ended before it began" == until(executor, events, Exited).reason


# Refusals


def test_a_program_that_a_node_lacks_stops_the_study_with_its_name(
    make: Callable[..., Ray], tmp_path: Path
) -> None:
    executor = make(["no-such-program"])
    events: list[Event] = []
    executor.start(launch(tmp_path))

    assert "no-such-program" in until(executor, events, Exited).reason
    with pytest.raises(ExecutorError, match="no-such-program"):
        executor.start(launch(tmp_path, 1))


def test_an_address_where_no_cluster_answers_is_named() -> None:
    executor = Ray(["true"], address="127.0.0.1:9")
    with pytest.raises(ExecutorError, match=r"127\.0\.0\.1:9"):
        executor.open()


@pytest.mark.parametrize("room", [{"num_cpus": -1}, {"num_gpus": "1"}, {"slots": 0}])
def test_an_impossible_setting_is_refused(room: dict[str, Any]) -> None:
    with pytest.raises(ExecutorError):
        Ray(["true"], **room)


# Studies whose trials go on from checkpoints


def train_on(trial: Any) -> None:
    """Keeps each step's x in its checkpoint, and goes on from there."""
    import json

    saved = trial.checkpoints.latest()
    done = [] if saved is None else json.loads(saved.path.read_text())
    while len(done) < trial.budget:
        done.append(trial.params["x"])
        text = json.dumps(done)
        trial.checkpoints.save(len(done), lambda path, text=text: path.write_text(text))
        if not trial.report(len(done), loss=sum((x - 0.3) ** 2 for x in done)):
            return


@pytest.mark.parametrize(
    "scheduler",
    [danlu.schedulers.Asha(), danlu.schedulers.Pbt(population=3, interval=3)],
    ids=["asha", "pbt"],
)
def test_trials_go_on_from_checkpoints_on_two_workers(
    make: Callable[..., Ray], tmp_path: Path, scheduler: danlu.Scheduler
) -> None:
    space = {"x": danlu.Float(0, 1)}
    study = danlu.Study(
        "s", "Where?", "loss", space, trials=9, max_steps=9, scheduler=scheduler
    )
    with danlu.open(tmp_path / "tuning.db", tmp_path) as project:
        history = project.run(study, make(train_on, slots=2))
        assert 9 == max(trial.step for trial in history.trials)
        assert any(own.attempt > 1 or own.parent is not None for own in history.trials)
        for trial in history.trials:
            folder = project.trial_folder("s", trial.number) / "checkpoint"
            saved = Checkpoints(folder).latest()
            assert saved is not None
            assert json.loads(saved.path.read_text()) == [
                stretch.params["x"]
                for stretch in schedule_of(history, trial.number)
                for _ in range(stretch.from_step, stretch.to_step)
            ]


# A loop dies, a node dies


def test_what_a_trial_left_on_another_node_is_ended_before_it_goes_on(
    make: Callable[..., Ray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = launch(tmp_path)
    own.folder.mkdir()
    write_json(own.folder / "process.json", {"host": socket.gethostname(), "pid": None})
    variables = {**os.environ, "DANLU_FOLDER": str(own.folder)}
    left = subprocess.Popen(["sleep", "1000"], env=variables)
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")

    assert () == tuple(make(["true"]).recover(own))
    assert -signal.SIGKILL == left.wait(HANG_S)


def test_what_a_trial_left_in_a_folder_of_its_node_is_ended(
    make: Callable[..., Ray], tmp_path: Path
) -> None:
    executor = make(["true"])
    executor.open()
    own = replace(launch(tmp_path), checkpoints=f"file://{tmp_path}/bucket")
    node = ray.nodes()[0]
    hand_out(own, Place(node["NodeManagerHostname"], node["NodeID"]))
    variables = {**os.environ, "DANLU_FOLDER": str(own_folder(own))}
    left = subprocess.Popen(["sleep", "1000"], env=variables)

    assert () == tuple(executor.recover(own))
    assert -signal.SIGKILL == left.wait(HANG_S)


NODES = """
import sys, time
import psutil
import danlu
from danlu.executors import Ray
from ray.cluster_utils import Cluster

def train(trial):
    place = trial.checkpoint / "step"
    step = int(place.read_text()) if place.exists() else 0
    while step < 10:
        step += 1
        time.sleep(0.1)
        new = place.with_suffix(".new")
        new.write_text(str(step))
        new.replace(place)  # a process that is killed leaves the old one or the new
        trial.report(step, loss=trial.params["x"] ** 2 + 1 / step)

def kill_one(progress):
    ended = sum(trial.state.ended for trial in progress.history.trials)
    midway = all(3 <= trial.step <= 7 for trial in progress.running)
    if ended >= 4 and len(progress.running) == 4 and midway and not killed:
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        killed.extend([raylet, *raylet.children(recursive=True)])
        for process in killed:
            process.kill()

killed = []
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
node = cluster.add_node(num_cpus=2)
space = {"x": danlu.Float(-1, 1)}
study = danlu.Study("nodes", "Does it finish?", "loss", space, trials=12)
with danlu.open(sys.argv[1]) as project:
    executor = Ray(train, address=cluster.address, slots=4)
    history = project.run(study, executor, watch=kill_one)
assert killed
ends = [(t.number, t.state.value, len(t.curves["loss"])) for t in history.trials]
assert ends == [(number, "completed", 10) for number in range(12)], ends
again = [trial for trial in history.trials if trial.attempt > 1]
assert 1 <= len(again) <= 2, again
cluster.shutdown()
"""


@pytest.mark.slow
def test_a_study_goes_on_when_a_node_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "nodes.py"
    script.write_text(NODES)
    ended = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "nodes.db")],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )

    assert 0 == ended.returncode, ended.stderr[-3000:]


def test_a_study_is_run_on_ray_from_the_command_line(
    cluster: str, tmp_path: Path
) -> None:
    words = ["run", "-q", "-p", "x=-1.0..1.0", "--min", "loss", "-n", "4", "-j", "2"]
    there = ["--on", "ray", "--address", cluster, "--", "echo", "step=1", "loss={x}"]
    ended = subprocess.run(
        [sys.executable, "-c", "from danlu.cli import main; main()", *words, *there],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )

    assert "echo: 4/4 trials, 4 completed" == ended.stdout.splitlines()[0]
    assert 0 == ended.returncode
