"""Who holds a running trial: a process, under a name that tells whether it lives."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path

# Holders in this process that will tell nothing more, though the process lives.
_retired: set[str] = set()


def this_owner(part: str = "") -> str:
    """The name of this process as a holder of trials.

    It says host, boot, namespace, process and the process's start, so that neither
    another machine or container nor a later process with the same number is taken for
    it. `part` tells several holders in one process apart.

    >>> is_dead(this_owner())
    False
    """
    process = os.getpid()
    started = _started(process)
    return "|".join((host(), _boot(), _namespace(), str(process), started, part))


def retire(owner: str) -> None:
    """Lets others take what a holder in this process has left.

    >>> left = this_owner("a loop that broke off")
    >>> retire(left)
    >>> is_dead(left), is_dead(this_owner())
    (True, False)
    """
    _retired.add(owner)


def is_dead(owner: str) -> bool:
    """Whether the process that `owner` names ran on this machine and runs no more.

    False for those of other machines and containers, of which nothing is known here.
    """
    if owner in _retired:
        return True
    parts = owner.split("|")
    if len(parts) != 6 or parts[0] != host():
        return False
    _, boot, namespace, process, started, _ = parts
    if boot != _boot():
        return True
    return namespace == _namespace() and _started(int(process)) != started


def host() -> str:
    """The name of this machine."""
    return socket.gethostname()


@lru_cache(maxsize=1)
def _boot() -> str:
    """This boot of the machine: two boots share no process."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        import psutil

        return str(int(psutil.boot_time()))


@lru_cache(maxsize=1)
def _namespace() -> str:
    """Where process numbers have a meaning: containers may count their own."""
    try:
        return "".join(filter(str.isdigit, os.readlink("/proc/self/ns/pid")))
    except OSError:
        return ""


def _started(process: int) -> str:
    """When a process started, empty when there is none.

    In ticks since the boot where they are known: no change of the clock moves them.
    """
    try:
        told = Path(f"/proc/{process}/stat").read_text(errors="replace")
    except OSError:
        return _started_by_clock(process)
    state, *fields = told.rpartition(")")[2].split()  # a name may have spaces
    return "" if state in "ZX" else fields[18]  # proc(5): the 22nd


def _started_by_clock(process: int) -> str:
    import psutil  # 10 ms, which commands that only read do without

    try:
        found = psutil.Process(process)
        if found.status() == psutil.STATUS_ZOMBIE:
            return ""
        return f"{found.create_time():.2f}"
    except psutil.NoSuchProcess:
        return ""
