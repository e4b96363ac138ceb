"""The far side of the Ray executor: an actor that runs one trial after the other.

It keeps the process server of its node warm, so that a trial costs a fork. When the
actor dies, its server ends what still runs. Where the trials' folders are not shared,
each trial has one of the node's own until it ends.
"""

from __future__ import annotations

import shutil
import socket
import time
from pathlib import Path

from .base import Event, Exited, Launch
from .local import Local
from .ray_folders import Place, here
from .task import Task, local_for

LISTEN_S = 0.5  # how long one call waits for news; a stop may have to wait as long
BATCH_S = 0.05  # after the first report, so that a fast reporter fills its calls


class RaySlot:
    """Runs trials on its node, one at a time."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._local: Local | None = None
        self._own: Path | None = None

    def ready(self) -> Place:
        """Where it is, once its process server has been started.

        Raises:
            ExecutorError: the node lacks something, such as the folder `workdir`.
        """
        self._opened()
        return self._place()

    def start(self, launch: Launch) -> list[Event]:
        """Starts a trial; its first news."""
        at_node = here(launch, self._place())
        self._own = None if at_node == launch else at_node.folder
        self._opened().start(at_node)
        return self.listen()

    def listen(self) -> list[Event]:
        """News of the trial, in order; nothing if there was none for a while."""
        events: list[Event] = []
        local = self._opened()
        local.poll(events.append, LISTEN_S)
        if events and not isinstance(events[-1], Exited):
            time.sleep(BATCH_S)
            local.poll(events.append, 0.0)
        if events and isinstance(events[-1], Exited) and self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
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

    def _place(self) -> Place:
        import ray

        return Place(socket.gethostname(), ray.get_runtime_context().get_node_id())

    def _opened(self) -> Local:
        if self._local is None:
            self._local = local_for(self._task)
            self._local.open()
        return self._local
