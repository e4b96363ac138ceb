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

    It says host, boot, process and the process's start, so that neither another machine
    nor a later process with the same number is taken for it. `part` tells several
    holders in one process apart.

    >>> is_dead(this_owner())
    False
    """
    process = os.getpid()
    return "|".join((host(), _boot(), str(process), _started(process), part))


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

    False for other machines' processes, of which nothing is known from here.
    """
    if owner in _retired:
        return True
    parts = owner.split("|")
    if len(parts) != 5 or parts[0] != host():
        return False
    _, boot, process, started, _ = parts
    return boot != _boot() or _started(int(process)) != started


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


def _started(process: int) -> str:
    """When a process started, empty when there is none."""
    import psutil  # 10 ms, which commands that only read do without

    try:
        found = psutil.Process(process)
        if found.status() == psutil.STATUS_ZOMBIE:
            return ""
        return f"{found.create_time():.2f}"
    except psutil.NoSuchProcess:
        return ""
