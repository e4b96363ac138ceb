"""The disk fills while a study runs: one clear sentence, and all goes on afterwards."""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults.loops import Place


def test_a_full_disk_is_named_and_the_study_goes_on_once_it_is_freed(
    small_disk: Path,
) -> None:
    place = Place(str(small_disk / "tuning.db"), small_disk / "trials", 8)
    first = place.start("first", "pause=0.1")
    first.wait_until_it_runs()

    _fill(small_disk)
    code = first.process.wait(60)
    said = first.said.read_text()
    kept = place.trials_now()
    (small_disk / "filler").unlink()
    (small_disk / "ballast").unlink()

    assert code != 0
    assert re.search(r"StorageFull: .*tuning\.db.* disk is full; free some space", said)
    place.start("second").finish()
    assert {t.number for t in kept} <= {t.number for t in place.check()}


def _fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            return
