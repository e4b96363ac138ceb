"""Two real processes that train one trial."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, multiprocessing

from danlu.training import fit
from danlu.training.callbacks import SharedTrial
from tests.training.callbacks.trials import Kept, trial_in


def _refused(*_: Any, **__: Any) -> None:
    raise AssertionError("a trial needs no pickles")


def _joined(rank: int, folder: Path, work: Any) -> None:
    """One process of two: what `work` gives is written, or the error that it raises."""
    torch.set_num_threads(1)
    distributed.broadcast_object_list = _refused
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=2
    )
    try:
        said = work(rank, folder)
    except Exception as error:
        said = str(error)
    (folder / f"said-{rank}").write_text(json.dumps(said))
    distributed.destroy_process_group()


def by_two(work: Any, folder: Path) -> list[Any]:
    """What each of the two processes said."""
    multiprocessing.spawn(_joined, (folder, work), nprocs=2)
    return [json.loads((folder / f"said-{rank}").read_text()) for rank in (0, 1)]


def _until_told(rank: int, folder: Path) -> tuple[list[int], int]:
    """Only the first hears from danlu that the trial is to end, at step 3."""
    channel = Kept(stop_at=3 if rank == 0 else None)
    shared = SharedTrial(trial_in(folder, channel))
    step = 1
    while shared.report(step, {"loss": 1.0}):
        step += 1
    return channel.steps, step


def _with_a_full_disk(rank: int, folder: Path) -> None:
    shared = SharedTrial(trial_in(folder, Kept(break_at=1)))
    shared.report(1, {"loss": 1.0})


def _save(rank: int, folder: Path) -> str:
    """Both write a part into one checkpoint."""
    shared = SharedTrial(trial_in(folder, Kept()))

    def write(path: Path) -> None:
        path.mkdir(exist_ok=True)
        (path / f"part-{rank}").write_text(str(rank))
        shared.wait()

    shared.save(1, {}, write)
    shared.wait()
    saved = shared.latest()
    assert saved is not None
    return " ".join(sorted(part.name for part in saved.path.iterdir()))


def _save_where_there_is_no_place(rank: int, folder: Path) -> None:
    (folder / "checkpoint").write_text("a file, not a folder")
    SharedTrial(trial_in(folder, Kept())).save(1, {}, lambda path: None)


def _save_under_another_name(rank: int, folder: Path) -> list[str]:
    """The study is about `val_loss`, and the program measures `loss`."""
    trial = trial_in(folder, Kept(), metric="val_loss")
    try:
        SharedTrial(trial).save(1, {"loss": 1.0}, lambda path: path.touch())
    except (ValueError, RuntimeError) as error:
        return [str(error), *(own.name for own in folder.glob("checkpoint/*"))]
    return []


def _save_where_the_name_is_no_unicode(rank: int, folder: Path) -> str:
    shared = SharedTrial(trial_in(Path(f"{folder}/\udcff"), Kept()))
    told: list[str] = []

    def write(path: Path) -> None:
        told.append(str(path))
        if rank == 0:
            path.touch()

    shared.save(1, {}, write)
    return ascii(told[0].removeprefix(str(folder))[:3])


def _fit(rank: int, folder: Path) -> None:
    inputs, labels = torch.ones(4, 2), torch.zeros(4, dtype=torch.long)
    trial = trial_in(folder, Kept())
    fit(
        trial,
        lambda _: torch.nn.Linear(2, 2),
        train=(inputs, labels),
        val=(inputs, labels),
    )


def _all(rank: int, folder: Path) -> list[Any]:
    """One meeting of the processes for all claims: to start them takes the time."""
    said: list[Any] = []
    for work in (
        _until_told,
        _save,
        _with_a_full_disk,
        _save_where_there_is_no_place,
        _save_under_another_name,
        _save_where_the_name_is_no_unicode,
        _fit,
    ):
        own = folder / work.__name__
        own.mkdir(exist_ok=True)
        distributed.barrier()
        try:
            said.append(work(rank, own))
        except Exception as error:
            said.append(f"{type(error).__name__}: {error}")
    return said


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return by_two(_all, tmp_path_factory.mktemp("two"))


def test_both_processes_end_at_the_step_at_which_the_first_was_told(said: Any) -> None:
    assert [[1, 2, 3], 3] == said[0][0]
    assert [[], 3] == said[1][0]


def test_both_write_one_checkpoint(said: Any) -> None:
    assert "part-0 part-1" == said[0][1] == said[1][1]


def test_an_error_of_the_first_is_an_error_of_both(said: Any) -> None:
    assert "OSError: the disk is full" == said[0][2]
    assert "RuntimeError: the first process of the trial failed" in said[1][2]
    assert "disk is full" in said[1][2]


def test_nobody_waits_for_a_checkpoint_that_cannot_begin(said: Any) -> None:
    assert "Error" in said[0][3]
    assert "the first process of the trial failed" in said[1][3]


def test_nothing_is_saved_that_cannot_be_reported(said: Any) -> None:
    (first,), (other,) = said[0][4], said[1][4]

    assert "the study is about 'val_loss'" in first
    assert f"the first process of the trial failed: ValueError: {first}" == other


def test_a_path_need_not_be_unicode(said: Any) -> None:
    assert r"'/\udcff/'" == said[0][5] == said[1][5]


def test_fit_is_for_one_process(said: Any) -> None:
    assert "RuntimeError: fit trains in one process, and here are 2" in said[0][6]
    assert said[0][6] == said[1][6]
