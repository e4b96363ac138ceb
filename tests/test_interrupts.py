"""Signals are counted while a study runs, and handled as before afterwards."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from danlu.interrupts import END, FINISH, Interrupts


def press(number: int) -> None:
    os.kill(os.getpid(), number)


def test_the_first_ctrl_c_finishes_and_the_second_ends() -> None:
    with Interrupts() as interrupts:
        stages = [interrupts.stage]
        for _ in range(2):
            press(signal.SIGINT)
            stages.append(interrupts.stage)

    assert stages == [0, FINISH, END]
    with pytest.raises(KeyboardInterrupt):
        interrupts.raise_if_any()


def test_the_third_ctrl_c_is_raised_at_once() -> None:
    with Interrupts():
        press(signal.SIGINT)
        press(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            press(signal.SIGINT)


def test_sigterm_ends_and_exits_with_143() -> None:
    with Interrupts() as interrupts:
        press(signal.SIGTERM)

    assert interrupts.stage == END
    with pytest.raises(SystemExit) as ended:
        interrupts.raise_if_any()
    assert ended.value.code == 143


def test_without_a_signal_nothing_is_raised() -> None:
    with Interrupts() as interrupts:
        pass

    interrupts.raise_if_any()


def test_the_handlers_of_before_are_back_also_after_an_error() -> None:
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ValueError, match="broken"), Interrupts():
        raise ValueError("broken")

    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def test_in_another_thread_signals_are_left_alone() -> None:
    seen = []

    def enter() -> None:
        with Interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()

    assert seen == [signal.getsignal(signal.SIGINT)]
