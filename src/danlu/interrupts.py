"""Ctrl-C in three stages, and SIGTERM as the second."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

FINISH, END, KILL = 1, 2, 3  # what each Ctrl-C asks for


class Interrupts:
    """Counts Ctrl-C while it is entered, instead of raising at once.

    Stage 1: start nothing new, let running trials finish. Stage 2 (also SIGTERM): end
    the running trials, which go on from their checkpoints when the study is run again.
    Stage 3: end them by force, at once. Outside the main thread it changes nothing.
    """

    def __init__(self) -> None:
        self.stage = 0
        self.terminated = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._install(signal.SIGINT, self._interrupted)
            self._install(signal.SIGTERM, self._terminated)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def raise_if_any(self) -> None:
        """Raises what Python would have raised, had it been allowed to.

        Raises:
            KeyboardInterrupt: after Ctrl-C.
            SystemExit: with code 143, after SIGTERM.
        """
        if self.terminated:
            raise SystemExit(128 + signal.SIGTERM)
        if self.stage:
            raise KeyboardInterrupt

    def _install(self, number: int, handler: Callable[..., None]) -> None:
        before = signal.signal(number, handler)
        self._before[number] = signal.SIG_DFL if before is None else before

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        self.stage = min(self.stage + 1, KILL)
        if self.stage == KILL:
            raise KeyboardInterrupt

    def _terminated(self, number: int, frame: FrameType | None) -> None:
        self.terminated = True
        self.stage = max(self.stage, END)
