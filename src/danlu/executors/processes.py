"""Processes of this machine: who they are, and how to end all of a trial's.

Linux has all of it. Elsewhere what is missing is left out: a process that made itself
a daemon is then not found.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from .ended import write_json

SAME_START_S = 2.0  # the clock that start times are told by may be set meanwhile
GONE_WITHIN_S = 5.0

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Makes this process the parent of descendants whose own parent has ended."""
    _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))


def die_with_parent() -> None:
    """Has the kernel kill this process when its parent ends."""
    _prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))


def name_process(name: str) -> None:
    """Gives this process and those it forks a name that `top` shows."""
    _prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()))


def signal_group(pid: int, number: int) -> None:
    """Sends a signal to a process group, or to its leader before there is a group."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
    except PermissionError:  # macOS: all of the group are zombies
        return


def children() -> Iterator[int]:
    """The processes that this one is the parent of."""
    listing = Path(f"/proc/self/task/{os.getpid()}/children")
    try:
        yield from map(int, listing.read_text().split())
    except FileNotFoundError:
        yield from (child.pid for child in psutil.Process().children())


def folder_of(pid: int) -> str | None:
    """The trial's folder that stands in a process's environment, None if none does."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    for variable in variables:
        if variable.startswith(b"DANLU_FOLDER="):
            return os.fsdecode(variable.partition(b"=")[2])
    return None


def name_of(pid: int) -> str:
    """The name that a process bears, empty when it is gone."""
    try:
        # The kernel cuts a name after 15 bytes, also within a letter.
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def write_process(folder: Path, pid: int, output_offset: int) -> None:
    """Keeps who runs a trial, so that whatever is left of it can be found."""
    facts = {
        "pid": pid,
        "started_s": _started_s(pid),
        "host": socket.gethostname(),
        "output_offset": output_offset,
    }
    write_json(folder / "process.json", facts)


def output_offset(folder: Path) -> int:
    """Where in `output.log` the last start of the trial begins."""
    offset = _read_process(folder).get("output_offset", 0)
    return offset if isinstance(offset, int) else 0


def host_of(folder: Path) -> str | None:
    """The name of the machine where the trial was started last, None if none is."""
    host = _read_process(folder).get("host")
    return host if isinstance(host, str) else None


def end_leftovers(folder: Path) -> None:
    """Kills what is left of a trial's processes on this machine, and waits for it."""
    facts = _read_process(folder)
    pid, ended = facts.get("pid"), []
    if isinstance(pid, int) and facts.get("host") == socket.gethostname():
        started_s = _started_s(pid)
        if started_s is None or _same(started_s, facts.get("started_s")):
            signal_group(pid, signal.SIGKILL)
            ended.append(pid)
    for other in psutil.pids():
        if other != os.getpid() and folder_of(other) == str(folder):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(other, signal.SIGKILL)
            ended.append(other)
    _wait_until_gone(ended)


def memory_bytes(pid: int) -> int:
    """Resident memory of a process and all its descendants."""
    total = 0
    with suppress(psutil.Error):
        leader = psutil.Process(pid)
        for process in [leader, *leader.children(recursive=True)]:
            with suppress(psutil.Error):
                total += process.memory_info().rss
    return total


def oom_kills() -> int:
    """How often the kernel has killed for want of memory; 0 where it does not tell."""
    for path in _oom_counters():
        with suppress(OSError, ValueError):
            for line in path.read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def _oom_counters() -> Iterator[Path]:
    """Files with a line `oom_kill N`: of our cgroup (version 2, 1), of the machine."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if not controllers:
                yield Path(f"/sys/fs/cgroup{group}/memory.events")
            elif "memory" in controllers.split(","):
                yield Path(f"/sys/fs/cgroup/memory{group}/memory.oom_control")
    yield Path("/proc/vmstat")


def _read_process(folder: Path) -> dict[str, object]:
    try:
        facts = json.loads((folder / "process.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _started_s(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def _same(started_s: float, noted_s: object) -> bool:
    return isinstance(noted_s, float) and abs(started_s - noted_s) < SAME_START_S


def _wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + GONE_WITHIN_S
    while any(map(_lives, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _prctl(option: int, value: ctypes.c_ulong | ctypes.c_char_p) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)
