"""An end means something: to the params, to the machine, or to nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from danlu.executors.base import Outcome
from danlu.executors.ended import Cause, Ended, read_ended, write_ended
from danlu.executors.outcome import TAIL_BYTES, TAIL_LINES, judged, tail_of


def end(code: int, cause: str = "", oom_kill: bool = False) -> Ended:
    return Ended(0, 1, code, cause, oom_kill)


@pytest.mark.parametrize(
    ("ended", "tail", "expected"),
    [
        (end(0), "out of memory", (Outcome.DONE, "")),
        (end(3), "", (Outcome.FAILED, "exit code 3")),
        (end(1), "a\nKeyError: 'x'\n", (Outcome.FAILED, "exit code 1: KeyError: 'x'")),
        (end(-11), "", (Outcome.FAILED, "killed by SIGSEGV")),
        (end(75), "", (Outcome.PREEMPTED, "exit code 75: preempted")),
        (end(-15, Cause.STOP), "", (Outcome.PREEMPTED, "stopped on request")),
        (end(0, Cause.STOP), "", (Outcome.DONE, "")),
        (end(0, Cause.TIME), "", (Outcome.OUT_OF_TIME, "longer than the time limit")),
        (
            end(-9, Cause.MEMORY),
            "",
            (Outcome.OUT_OF_MEMORY, "more than the memory limit"),
        ),
        (
            end(-9, oom_kill=True),
            "",
            (Outcome.OUT_OF_MEMORY, "killed by the kernel, which ran out of memory"),
        ),
        (
            end(137, oom_kill=True),
            "Killed",
            (Outcome.OUT_OF_MEMORY, "killed by the kernel, which ran out of memory"),
        ),
        (end(-9), "", (Outcome.FAILED, "killed by SIGKILL")),
        (
            end(1),
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\nbye",
            (
                Outcome.OUT_OF_MEMORY,
                "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
            ),
        ),
        (end(1), "MemoryError", (Outcome.OUT_OF_MEMORY, "MemoryError")),
        (
            end(-6),
            "terminate called: std::bad_alloc",
            (Outcome.OUT_OF_MEMORY, "terminate called: std::bad_alloc"),
        ),
    ],
)
def test_an_end_is_judged(
    ended: Ended, tail: str, expected: tuple[Outcome, str]
) -> None:
    assert judged(ended, tail) == expected


def test_the_tail_is_short(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_text("line\n" * 100_000, encoding="utf-8")
    assert tail_of(path).splitlines() == ["line"] * TAIL_LINES
    path.write_text("x" * 100_000, encoding="utf-8")
    assert len(tail_of(path)) == TAIL_BYTES


def test_the_tail_is_of_this_attempt_alone(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"MemoryError\nfine \xff\n")
    assert tail_of(path, offset=12) == "fine �"


def test_an_end_counts_for_its_own_attempt(tmp_path: Path) -> None:
    ended = Ended(3, 2, -9, Cause.STOP)
    write_ended(tmp_path, ended)
    assert read_ended(tmp_path, 2) == ended
    assert read_ended(tmp_path, 3) is None
