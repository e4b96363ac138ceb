"""Clocks that jump: leases go by the database's clock, and waits by none that jumps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.loops import Place, wait_until_all_run

HOUR_S = 3600


@pytest.mark.parametrize(
    "jump_s", [pytest.param(HOUR_S, marks=pytest.mark.slow), -HOUR_S]
)
def test_a_clock_that_jumps_costs_its_neighbors_nothing(
    postgres_url: str, tmp_path: Path, jump_s: int
) -> None:
    place = Place(postgres_url, tmp_path / "trials", 16)
    settings = "lease=2", "pause=0.15"
    loops = [place.start("jumping", *settings, f"jump={jump_s}")]
    loops.append(place.start("steady", *settings))
    wait_until_all_run(loops)

    for started in loops:
        started.finish()

    assert {1} == {trial.attempt for trial in place.check()}
