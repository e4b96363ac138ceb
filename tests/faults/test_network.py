"""The network between a loop and its database is cut, and comes back.

The loop lives in a network namespace of its own, at the far end of a cable.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.loops import Place, wait_until_all_run
from tests.postgres import Server, Unavailable

NEAR, FAR = "10.203.77.1", "10.203.77.2"


@dataclass(frozen=True)
class Cable:
    """Two hosts, one of them ours, and what connects them."""

    namespace: str

    @property
    def within(self) -> Sequence[str]:
        """The words that start a command on the other host."""
        return "ip", "netns", "exec", self.namespace

    def cut(self) -> None:
        """Loses what is sent, without a word to either side."""
        _ip("-n", self.namespace, "link", "set", "danlu-far", "down")

    def mend(self) -> None:
        """Lets everything through again."""
        _ip("-n", self.namespace, "link", "set", "danlu-far", "up")


@pytest.fixture(scope="module")
def cable() -> Iterator[Cable]:
    if shutil.which("ip") is None:
        pytest.skip("needs the program `ip`: install Debian's package iproute2")
    name = "danlu-far-host"
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    try:
        _ip("netns", "add", name)
    except subprocess.CalledProcessError:
        pytest.skip("needs the right to make network namespaces")
    try:
        _ip("link", "add", "danlu-near", "type", "veth", "peer", "danlu-far")
        _ip("link", "set", "danlu-far", "netns", name)
        _ip("addr", "add", f"{NEAR}/30", "dev", "danlu-near")
        _ip("-n", name, "addr", "add", f"{FAR}/30", "dev", "danlu-far")
        _ip("link", "set", "danlu-near", "up")
        _ip("-n", name, "link", "set", "danlu-far", "up")
        yield Cable(name)
    finally:
        _ip("netns", "del", name)  # and with it the cable


@pytest.fixture(scope="module")
def server(cable: Cable) -> Iterator[Server]:
    try:
        server = Server(NEAR)
    except Unavailable as error:
        pytest.skip(str(error))
    try:
        server.start()
        yield server
    finally:
        server.remove()


def test_a_short_cut_of_the_network_costs_no_trial(
    cable: Cable, server: Server, tmp_path: Path
) -> None:
    place = Place(server.new_database(), tmp_path / "trials", 20)
    loops = [
        place.start("near", "pause=0.1"),
        place.start("far", "pause=0.1", within=cable.within),
    ]
    wait_until_all_run(loops)

    cable.cut()
    time.sleep(2)
    cable.mend()

    for started in loops:
        started.finish()
    assert {1} == {trial.attempt for trial in place.check()}


@pytest.mark.slow
def test_a_cut_longer_than_the_lease_hands_the_trials_to_others(
    cable: Cable, server: Server, tmp_path: Path
) -> None:
    place = Place(server.new_database(), tmp_path / "trials", 40)
    settings = "lease=2", "pause=0.2"
    near = place.start("near", *settings)
    far = place.start("far", *settings, within=cable.within)
    wait_until_all_run([near, far])

    cable.cut()
    near.finish()  # all of the study, what the far loop had begun included
    cable.mend()

    far.finish()
    known = place.check()
    assert {1, 2} == {trial.attempt for trial in known}


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, check=True)
