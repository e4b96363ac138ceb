"""Who holds a trial: processes are told apart, and the dead from the living."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from danlu.owner import host, is_dead, retire, this_owner

CODE = "from danlu.owner import this_owner; print(this_owner('x'), flush=True); input()"


def test_this_process_lives() -> None:
    assert not is_dead(this_owner())
    assert not is_dead(this_owner("a loop"))


def test_holders_in_one_process_are_told_apart() -> None:
    assert this_owner("one") != this_owner("two")


def test_a_process_is_dead_once_it_has_ended() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CODE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    owner = process.stdout.readline().strip()
    alive = not is_dead(owner)
    process.kill()
    zombie = process.poll() is None and is_dead(owner)
    process.communicate()

    assert alive
    assert zombie or is_dead(owner)
    assert is_dead(owner)


def test_a_later_process_with_the_same_number_is_another_one() -> None:
    name, boot, space, process, _, part = this_owner("x").split("|")

    assert is_dead("|".join((name, boot, space, process, "1", part)))
    assert is_dead("|".join((name, "another", space, process, "1", part)))


def test_nothing_is_known_of_a_container_that_counts_its_own_processes() -> None:
    name, boot, _, process, _, part = this_owner("x").split("|")

    assert not is_dead("|".join((name, boot, "4026539999", process, "1", part)))


def test_a_step_of_the_clock_kills_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """psutil counts the start of a process from the boot by the wall clock."""
    owner = this_owner()
    own = psutil.Process().create_time()
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: own + 1.0)

    assert not is_dead(owner)


def test_nothing_is_known_of_other_machines_and_other_names() -> None:
    assert not is_dead(this_owner().replace(host(), "elsewhere", 1))
    assert not is_dead("danlu ask on somewhere")
    assert not is_dead("")


def test_what_has_retired_is_dead_although_its_process_lives() -> None:
    retire(this_owner("broken off"))

    assert is_dead(this_owner("broken off"))
    assert not is_dead(this_owner("another"))
