"""The far side of the Ray executor: an actor that runs one trial after the other.

It keeps the process server of its node warm, so that a trial costs a fork. When the
actor dies, its server ends what still runs.
"""

from __future__ import annotations

import pickle
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..client import LiveTrial
from .base import Event, Exited, Launch
from .limits import Limits
from .local import Local

LISTEN_S = 0.5  # how long one call waits for news; a stop may have to wait as long
BATCH_S = 0.05  # after the first report, so that a fast reporter fills its calls


@dataclass(frozen=True)
class Task:
    """What every slot is to run: a command's words, or a pickled training function.

    `workdir` None means the folder that the actor starts in.
    """

    words: tuple[str, ...] | None
    function: bytes | None
    limits: Limits
    pattern: str | None
    workdir: str | None


@dataclass(frozen=True)
class Place:
    """Where a slot is: the name of its host, and what Ray calls the node."""

    host: str
    node: str


class Packed:
    """A training function on its way, which only the process server is to load."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __call__(self, trial: LiveTrial) -> object:
        """Runs the function."""
        return pickle.loads(self._content)(trial)

    def __reduce__(self) -> tuple[Callable[[bytes], object], tuple[bytes]]:
        return pickle.loads, (self._content,)


class RaySlot:
    """Runs trials on its node, one at a time."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._local: Local | None = None

    def ready(self) -> Place:
        """Where it is, once its process server has been started.

        Raises:
            ExecutorError: the node lacks something, such as the folder `workdir`.
        """
        import ray

        self._opened()
        context = ray.get_runtime_context()
        return Place(socket.gethostname(), context.get_node_id())

    def start(self, launch: Launch) -> list[Event]:
        """Starts a trial; its first news."""
        self._opened().start(launch)
        return self.listen()

    def listen(self) -> list[Event]:
        """News of the trial, in order; nothing if there was none for a while."""
        events: list[Event] = []
        local = self._opened()
        local.poll(events.append, LISTEN_S)
        if events and not isinstance(events[-1], Exited):
            time.sleep(BATCH_S)
            local.poll(events.append, 0.0)
        return events

    def stop(self, number: int) -> None:
        """Asks the trial to end, by force after the grace time."""
        self._opened().stop(number)

    def kill(self, number: int) -> None:
        """Ends the trial by force."""
        self._opened().kill(number)

    def close(self) -> None:
        """Ends everything that still runs here."""
        if self._local is not None:
            self._local.close()

    def _opened(self) -> Local:
        if self._local is None:
            task = self._task
            function = None if task.function is None else Packed(task.function)
            self._local = Local(
                task.words or function or (),
                limits=task.limits,
                pattern=task.pattern,
                workdir=task.workdir,
            )
            self._local.open()
        return self._local
