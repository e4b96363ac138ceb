"""Two loops on one study begin each member of a population once, and each child."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import danlu
from danlu.ask import Asker
from danlu.executors import Inline
from danlu.memory import Memory
from danlu.schedulers import Pbt
from danlu.storage.base import Claim, Storage
from danlu.storage.sql import SqlStorage, open_storage
from danlu.trial import Kind, Trial
from tests.schedulers.test_pbt import check_lineage, noisy, train

PLACES = pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
STUDY = noisy(Pbt(population=4, interval=5))
PAUSE_S = 0.02  # between the last look at the study and the write


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield str(tmp_path / "tuning.db")
    else:
        yield request.getfixturevalue("postgres_url")


@PLACES
def test_two_loops_begin_no_member_and_no_child_twice(url: str, tmp_path: Path) -> None:
    with danlu.open(url, tmp_path) as project:
        project.plan(STUDY)
        spawn = multiprocessing.get_context("spawn")
        together = spawn.Barrier(2)
        own = [
            spawn.Process(target=_loop, args=(url, tmp_path, together)) for _ in "ab"
        ]
        for process in own:
            process.start()
        for process in own:
            process.join()

        history = project.history(STUDY.name)
        check_lineage(project, history)

    begun = Counter(
        (trial.scheduler_note["member"], trial.scheduler_note["step"])
        for trial in history.trials
    )
    assert [process.exitcode for process in own] == [0, 0]
    assert set(begun.values()) == {1}
    assert {member for member, _ in begun} == {0, 1, 2, 3}


@PLACES
def test_who_comes_second_begins_another_member(url: str) -> None:
    with closing(open_storage(url)) as storage, closing(open_storage(url)) as elsewhere:
        first, second = _asker(storage), _asker(elsewhere)
        fill = storage.fill
        others: list[Trial | None] = []

        def after_another(study: int, trial: Trial, **since: Any) -> bool:
            if not others:
                others.append(second.ask())
            return fill(study, trial, **since)

        storage.fill = after_another  # type: ignore[method-assign]

        trial = first.ask()

    (other,) = others
    assert trial is not None
    assert other is not None
    assert other.scheduler_note == {"member": 0, "step": 0}
    assert trial.scheduler_note == {"member": 1, "step": 0}


@PLACES
def test_a_note_is_written_again_once_the_first_is_known(url: str) -> None:
    noted = [
        Trial(number, {}, index=number, scheduler_note={"member": 0})
        for number in range(3)
    ]
    with closing(open_storage(url)) as storage:
        study = storage.add_study("s", {}).id
        for _ in noted:
            storage.reserve(study, Kind.SEARCH, Claim("somebody", None))
        before = storage.changes(study, 0).version

        first, second = (
            storage.fill(study, trial, alone_since=before) for trial in noted[:2]
        )
        repeated = storage.fill(study, noted[0], alone_since=before)
        known = storage.changes(study, 0).version
        later = storage.fill(study, noted[2], alone_since=known)
        written = [own.number for own in storage.changes(study, 0).trials]

    assert (first, second, repeated, later) == (True, False, True, True)
    assert written == [0, 2]


def _asker(storage: Storage) -> Asker:
    records = storage.studies() or [storage.add_study(STUDY.name, {})]
    memory = Memory(STUDY, storage, records[0].id)
    return Asker(memory, storage, Claim("somebody", None))


def _loop(url: str, folder: Path, together: Any) -> None:
    fill = SqlStorage.fill

    def late(storage: SqlStorage, study: int, trial: Trial, **since: Any) -> bool:
        time.sleep(PAUSE_S)
        return fill(storage, study, trial, **since)

    SqlStorage.fill = late  # type: ignore[method-assign, assignment]
    with danlu.open(url, folder) as project:
        together.wait()
        project.run(STUDY, Inline(train))
