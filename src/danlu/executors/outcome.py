"""What an end means: from the exit code, what we did to it, and its last output."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from .base import Outcome
from .ended import Cause, Ended

PREEMPTED_CODE = 75  # EX_TEMPFAIL of sysexits.h: try again
TAIL_LINES = 40
TAIL_BYTES = 8192

# What programs say when memory is short: CUDA and torch, Python, C++, libc, JAX, node.
_MEMORY = re.compile(
    r"out of memory|OutOfMemoryError|\bMemoryError\b|bad_alloc|"
    r"Cannot allocate memory|can't allocate memory|RESOURCE_EXHAUSTED"
)


def judged(ended: Ended, tail: str) -> tuple[Outcome, str]:
    """The outcome and its reason in words."""
    if ended.cause == Cause.TIME:
        return Outcome.OUT_OF_TIME, "longer than the time limit"
    if ended.cause == Cause.MEMORY:
        return Outcome.OUT_OF_MEMORY, "more than the memory limit"
    if ended.cause == Cause.OUTPUT:
        return Outcome.FAILED, "printed more than the limit on its output"
    if ended.code == 0:
        return Outcome.DONE, ""
    if ended.cause == Cause.STOP:
        return Outcome.PREEMPTED, "stopped on request"
    if ended.code == PREEMPTED_CODE:
        return Outcome.PREEMPTED, f"exit code {PREEMPTED_CODE}: preempted"
    killed = ended.code in (-signal.SIGKILL, 128 + signal.SIGKILL)  # as shells tell it
    if killed and ended.oom_kill:
        return Outcome.OUT_OF_MEMORY, "killed by the kernel, which ran out of memory"
    complaint = memory_complaint(tail)
    if complaint:
        return Outcome.OUT_OF_MEMORY, complaint
    return Outcome.FAILED, _failure(ended.code, tail)


def memory_complaint(text: str) -> str:
    """The last line of `text` that says that memory ran out, empty if none does."""
    for line in reversed(text.splitlines()):
        if _MEMORY.search(line):
            return line.strip()
    return ""


def tail_of(path: Path, offset: int = 0) -> str:
    """The last lines of a file from byte `offset` on; empty when there is none."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(offset, size - TAIL_BYTES))
            text = file.read(TAIL_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return ""
    return clipped(text)


def clipped(text: str) -> str:
    """The last 40 lines of `text`, at most 8 KB."""
    return "\n".join(text[-TAIL_BYTES:].splitlines()[-TAIL_LINES:])


def _failure(code: int, tail: str) -> str:
    said = [line.strip() for line in tail.splitlines() if line.strip()]
    how = f"killed by {_signal_name(-code)}" if code < 0 else f"exit code {code}"
    return f"{how}: {said[-1][:300]}" if said else how


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
