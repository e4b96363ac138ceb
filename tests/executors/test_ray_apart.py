"""Trials on Ray nodes that share no folder: they go on from a place of checkpoints."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from danlu.executors import Exited, Launch, Outcome
from danlu.executors.ended import write_json
from danlu.executors.ray_folders import (
    Place,
    end_leftovers_here,
    hand_out,
    handed_to,
    here,
    is_elsewhere,
    keep_words,
    own_folder,
)
from danlu.trial import Trial

NEAR, FAR = Place("near", "1"), Place("far", "2")


def launch(folder: Path, checkpoints: str | None = "s3://bucket/s/0") -> Launch:
    return Launch("s", Trial(0, {}), "loss", folder / "0", checkpoints=checkpoints)


def test_a_node_that_finds_the_note_shares_the_folder(tmp_path: Path) -> None:
    own = launch(tmp_path)
    hand_out(own, FAR)

    assert own == here(own, FAR)
    assert FAR == handed_to(own.folder)


def test_a_node_that_does_not_has_a_folder_of_its_own(tmp_path: Path) -> None:
    own = launch(tmp_path)
    hand_out(own, NEAR)

    assert own_folder(own) == here(own, FAR).folder
    assert own_folder(own) != own.folder


def test_without_a_place_of_checkpoints_the_folder_is_shared(tmp_path: Path) -> None:
    own = launch(tmp_path, checkpoints=None)

    assert own == here(own, FAR)
    assert not is_elsewhere(own)


def test_the_files_are_where_the_trial_runs(tmp_path: Path) -> None:
    own = launch(tmp_path)
    hand_out(own, FAR)
    assert is_elsewhere(own)
    write_json(own.folder / "process.json", {"host": "far"})
    assert not is_elsewhere(own)

    hand_out(own, NEAR)

    assert is_elsewhere(own)


def test_the_last_words_of_another_node_are_kept(tmp_path: Path) -> None:
    own = launch(tmp_path)
    hand_out(own, FAR)

    keep_words(own, Exited(0, Outcome.FAILED, "exit code 1", "out of luck"))

    assert "out of luck\n" == (own.folder / "output.log").read_text()


def test_what_is_left_in_a_folder_of_the_node_is_ended(tmp_path: Path) -> None:
    own = launch(tmp_path)
    variables = {"DANLU_FOLDER": str(own_folder(own))}
    with subprocess.Popen(["/bin/sleep", "1000"], env=variables) as left:
        end_leftovers_here(own)

        assert -9 == left.wait(60.0)


# Each node has a file system of its own over the project's folder.
APART = """
import os, subprocess, sys, time
from pathlib import Path
import psutil
import ray
import danlu
from danlu.executors import Ray
from ray.cluster_utils import Cluster

own = Path(sys.argv[1])
project_folder = own / "project"
project_folder.mkdir()
HIDES = 'mount -t tmpfs none "$0" && exec "$@"'

def train(trial):
    saved = trial.checkpoints.latest()
    first = 1 if saved is None else saved.step + 1
    print("began at", first, flush=True)
    for step in range(first, 11):
        deadline_s = time.monotonic() + 60
        while step == 6 and not met.exists() and time.monotonic() < deadline_s:
            time.sleep(0.1)
        trial.checkpoints.save(step, lambda path: path.write_text(str(step)))
        trial.report(step, loss=trial.params["x"] ** 2 + 1 / step, first=first)

def begun(address, name):
    (own / name).mkdir()
    ray = [str(Path(sys.executable).parent / "ray"), "start", "--block"]
    words = ["unshare", "-m", "sh", "-c", HIDES, str(project_folder), *ray]
    words += [f"--address={address}", "--num-cpus=2"]
    return subprocess.Popen(
        words, env={**os.environ, "TMPDIR": str(own / name)},
        stdout=subprocess.DEVNULL,
    )

def kill_one(progress):
    waiting = [trial for trial in progress.running if trial.step == 5]
    if len(waiting) == 4 and not killed:
        node = psutil.Process(nodes[0].pid)
        killed.extend([*node.children(recursive=True), node])
        for process in killed:
            process.kill()
        met.touch()

killed = []
met = own / "met"  # all four trials wait for it in the middle
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
ray.init(cluster.address, log_to_driver=False)
nodes = []
for name in ("a", "b"):  # one after another: at once they may take the same ports
    nodes.append(begun(cluster.address, name))
    deadline_s = time.monotonic() + 60
    while sum(node["Alive"] for node in ray.nodes()) <= len(nodes):
        assert time.monotonic() < deadline_s, "a node did not come up"
        time.sleep(0.1)
ray.shutdown()
space = {"x": danlu.Float(-1, 1)}
study = danlu.Study("apart", "Does it finish?", "loss", space, trials=6)
bucket = f"file://{own}/bucket"
try:
    with danlu.open(project_folder / "apart.db", folder=project_folder) as project:
        executor = Ray(train, address=cluster.address, slots=4, checkpoints=bucket)
        history = project.run(study, executor, watch=kill_one)
finally:
    for node in nodes:
        if node.poll() is None:
            for process in psutil.Process(node.pid).children(recursive=True):
                process.kill()
        node.wait()
    cluster.shutdown()
assert killed
ends = [(t.number, t.state.value, t.step) for t in history.trials]
assert ends == [(number, "completed", 10) for number in range(6)], ends
again = [trial for trial in history.trials if trial.attempt > 1]
assert 1 <= len(again) <= 2, again
for trial in again:
    assert trial.curves["first"].last > 1, "it began at step 1 again"
    assert trial.curves["loss"].steps[0] == 1
    assert len(trial.curves["loss"]) >= 8, trial.curves["loss"]
assert not list(project_folder.rglob("reports.jsonl")), "the folder is shared"
said = (project_folder / "apart" / "5" / "output.log").read_text()
assert said.startswith("began at "), said
print(f"{len(again)} went on", [len(trial.curves["loss"]) for trial in again])
"""


def may_mount(folder: Path) -> bool:
    """Whether this user may put a file system over a folder, for some processes."""
    if shutil.which("unshare") is None:
        return False
    words = ["unshare", "-m", "mount", "-t", "tmpfs", "none", str(folder)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_a_trial_goes_on_at_another_node_without_a_shared_folder(
    tmp_path: Path,
) -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install 'danlu[ray]'")
    if not may_mount(tmp_path):
        pytest.skip("needs the right to mount, for nodes with folders of their own")
    script = tmp_path / "apart.py"
    script.write_text(APART)
    ended = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )

    assert 0 == ended.returncode, ended.stderr[-3000:]
