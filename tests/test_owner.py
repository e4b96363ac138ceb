"""Who holds a trial: processes are told apart, and the dead from the living."""

from __future__ import annotations

import subprocess
import sys

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
    name, boot, process, _, part = this_owner("x").split("|")

    assert is_dead("|".join((name, boot, process, "1.00", part)))
    assert is_dead("|".join((name, "another", process, "1.00", part)))


def test_nothing_is_known_of_other_machines_and_other_names() -> None:
    assert not is_dead(this_owner().replace(host(), "elsewhere", 1))
    assert not is_dead("danlu ask on somewhere")
    assert not is_dead("")


def test_what_has_retired_is_dead_although_its_process_lives() -> None:
    retire(this_owner("broken off"))

    assert is_dead(this_owner("broken off"))
    assert not is_dead(this_owner("another"))
