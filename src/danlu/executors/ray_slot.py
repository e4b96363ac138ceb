"""The far side of the Ray executor: an actor that runs one trial after the other.

It keeps the process server of its node warm, so that a trial costs a fork. When the
actor dies, its server ends what still runs.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

from .base import Event, Exited, Launch
from .local import Local
from .task import Task, local_for

LISTEN_S = 0.5  # how long one call waits for news; a stop may have to wait as long
BATCH_S = 0.05  # after the first report, so that a fast reporter fills its calls


@dataclass(frozen=True)
class Place:
    """Where a slot is: the name of its host, and what Ray calls the node."""

    host: str
    node: str


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
            self._local = local_for(self._task)
            self._local.open()
        return self._local
