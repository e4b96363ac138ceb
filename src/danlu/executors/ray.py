"""Runs trials on a Ray cluster: a warm actor for each slot, a fork for each trial."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ExecutorError
from .base import Event, Executor, Exited, Launch, Outcome, Reported
from .checkpoint_place import checked_root, located, placed
from .limits import Limits
from .local import Local, Train
from .ray_cluster import connect, disconnect, end_leftovers_elsewhere, first_line
from .ray_folders import Place, hand_out, is_elsewhere, keep_words
from .ray_slot import RaySlot
from .task import Task, task_of

ROOM_S = 15.0  # without a free place in the cluster before the user is told
FORCE_S = 5.0  # for an actor to end a trial, before the actor itself is ended
CLOSE_WITHIN_S = 5.0
FALSE_STARTS = 5  # actors in a row that died before they were ready


class Ray(Executor):
    """Runs a Python function or a command on the nodes of a Ray cluster.

    `address` is a cluster's ("auto", "10.0.0.1:6379", "ray://..."); None means the one
    that `RAY_ADDRESS` names or that runs here, else one that is started on this machine
    alone. Each of the `slots` holds `num_cpus`, `num_gpus` (0.5: two share one) and
    `resources` for as long as the executor is open. `runtime_env` is Ray's. The rest is
    as in `Local`. danlu must be installed on every node, and the trials' folders must
    be at the same path on all of them, unless `checkpoints` is a place that all nodes
    reach, such as `s3://bucket/tuning`.

    >>> import danlu
    >>> executor = danlu.executors.Ray(["python", "train.py", "{args}"], slots=8)
    >>> executor.slots
    8

    Raises:
        ExecutorError: a setting is impossible.
    """

    def __init__(
        self,
        train: Train,
        *,
        address: str | None = None,
        slots: int = 1,
        num_cpus: float = 1.0,
        num_gpus: float = 0.0,
        resources: Mapping[str, float] | None = None,
        runtime_env: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        pattern: str | None = None,
        workdir: str | Path | None = None,
        checkpoints: str | Path | None = None,
    ) -> None:
        self._files = Local(
            train, slots=slots, limits=limits, pattern=pattern, workdir=workdir
        )
        self.slots = slots
        self.limits = limits or Limits()
        self._checkpoints = checked_root(checkpoints)
        self._train = train
        self._address = address
        self._held = _checked_room(num_cpus, num_gpus, resources or {})
        self._runtime_env = dict(runtime_env or {})
        self._pattern = pattern
        self._workdir = workdir
        self._own_cluster = False
        self._task: Task | None = None
        self._slots: list[_Slot] = []
        self._waiting: deque[_Waiting] = deque()
        self._ended_here: list[Event] = []
        self._false_starts = 0
        self._broken = ""

    def open(self) -> None:
        """Connects to the cluster and asks it for actors, without waiting for them."""
        if self._task is None:
            self._task = self._stated()
        self._own_cluster |= connect(self._address)
        self._fill()

    def start(self, launch: Launch) -> None:
        """Starts a trial on the next actor that is free."""
        self.open()
        if self._broken:
            raise ExecutorError(self._broken)
        launch = placed(launch, self._checkpoints)
        self._waiting.append(_Waiting(launch, time.monotonic() + ROOM_S))
        self._hand_out()

    def poll(self, deliver: Callable[[Event], None], wait_s: float) -> None:
        """Hands over what is new; returns as soon as there was something."""
        self._hand_out()
        events = self._ended_here + self._complaints()
        self._ended_here = []
        for event in events or self._heard(wait_s):
            deliver(event)

    def stop(self, number: int) -> None:
        """Asks a trial to end; its actor goes with it if it does not after the grace.

        One that waits for a place in the cluster ends at once.
        """
        slot = self._slot_of(number)
        if slot is None:
            self._withdraw(number)
        elif slot.force_at_s is None:
            slot.force_at_s = time.monotonic() + self.limits.grace_s + FORCE_S
            slot.actor.stop.remote(number)

    def kill(self, number: int) -> None:
        """Kills all processes of a trial."""
        slot = self._slot_of(number)
        if slot is None:
            self._withdraw(number)
        else:
            slot.force_at_s = time.monotonic() + FORCE_S
            slot.actor.kill.remote(number)

    def recover(self, launch: Launch) -> Sequence[Event]:
        """What a trial left behind in its folder, when its loop or its node has died.

        Ray ends the actors of a loop that has died, and they their trials. Processes
        that may be left on another node are ended first.
        """
        self.open()
        launch = located(launch)
        end_leftovers_elsewhere(launch)
        return () if is_elsewhere(launch) else self._files.recover(launch)

    def close(self) -> None:
        """Kills every trial, and gives back what was held in the cluster."""
        if not self._slots and not self._own_cluster:
            return
        import ray

        if ray.is_initialized():
            closing = [slot.actor.close.remote() for slot in self._slots if slot.place]
            if closing:
                count = len(closing)
                ray.wait(closing, num_returns=count, timeout=CLOSE_WITHIN_S)
            for slot in self._slots:
                ray.kill(slot.actor)
            if self._own_cluster:
                disconnect()
        self._own_cluster = False
        self._slots.clear()
        self._waiting.clear()

    def _stated(self) -> Task:
        workdir: str | None = str(Path(self._workdir or os.getcwd()).absolute())
        if self._workdir is None and "working_dir" in self._runtime_env:
            workdir = None  # Ray copies that folder to the nodes and starts in it
        return task_of(
            self._train, limits=self.limits, pattern=self._pattern, workdir=workdir
        )

    def _fill(self) -> None:
        """Asks the cluster for the actors that are missing."""
        import ray

        while len(self._slots) < self.slots and not self._broken:
            actor: Any = (
                ray.remote(RaySlot)
                .options(
                    **self._held,
                    runtime_env=self._runtime_env or None,
                    scheduling_strategy="SPREAD",
                )
                .remote(self._task)
            )
            self._slots.append(_Slot(actor, actor.ready.remote()))

    def _hand_out(self) -> None:
        """Gives trials that wait to actors that are free."""
        if not self._waiting:
            return
        self._fill()
        for slot in self._slots:
            if slot.place and slot.launch is None and self._waiting:
                waiting = self._waiting.popleft()
                slot.launch, slot.first = waiting.launch, not waiting.again
                hand_out(slot.launch, slot.place)
                slot.answer = slot.actor.start.remote(slot.launch)

    def _heard(self, wait_s: float) -> list[Event]:
        """What the actors tell, waiting up to `wait_s` for the first to answer."""
        import ray

        self._force()
        for slot in self._slots:
            if slot.launch is not None and slot.answer is None:
                slot.answer = slot.actor.listen.remote()
        asked = {slot.answer: slot for slot in self._slots if slot.answer is not None}
        if not asked:
            time.sleep(wait_s)
            return []
        answered, rest = ray.wait(list(asked), timeout=wait_s)
        if rest and answered:
            answered += ray.wait(rest, num_returns=len(rest), timeout=0)[0]
        return [event for answer in answered for event in self._take_in(asked[answer])]

    def _take_in(self, slot: _Slot) -> Sequence[Event]:
        """The events of one answer; what an actor left behind that died over it."""
        import ray

        answer, slot.answer = slot.answer, None
        try:
            told = ray.get(answer)
        except ExecutorError as error:
            return self._refused(slot, str(getattr(error, "cause", error)))
        except ray.exceptions.RayError as error:
            return self._lost(slot, error)
        if isinstance(told, Place):
            slot.place, self._false_starts = told, 0
            self._hand_out()
            return ()
        events: list[Event] = told
        slot.first = False
        if events and isinstance(events[-1], Exited):
            if slot.launch is not None:
                keep_words(slot.launch, events[-1])
            slot.launch = slot.force_at_s = None
        return events

    def _refused(self, slot: _Slot, why: str) -> Sequence[Event]:
        """No trial can be started: all that wait have failed, and so will the next."""
        self._broken = f"trials cannot be started on Ray: {why}"
        waiting = [waiting.launch for waiting in self._waiting]
        if slot.launch is not None:
            waiting.append(slot.launch)
        self._waiting.clear()
        self._drop(slot)
        failed = Outcome.FAILED
        return [Exited(own.trial.number, failed, self._broken) for own in waiting]

    def _lost(self, slot: _Slot, error: Exception) -> Sequence[Event]:
        """What the trial of a dead actor had reported, and how it ended."""
        self._drop(slot)
        if slot.place is None:
            self._false_starts += 1
            if self._false_starts >= FALSE_STARTS:
                return self._refused(slot, first_line(error))
        if slot.launch is None:
            return ()
        own = slot.launch
        events = [] if is_elsewhere(own) else list(self._files.recover(own))
        if events and isinstance(events[-1], Exited):
            return events
        if slot.first and not events and slot.force_at_s is None:
            # It may have been dead before the trial came to it.
            self._waiting.appendleft(_Waiting(slot.launch, None, again=True))
            return ()
        return [*events, _lost_trial(slot, error)]

    def _drop(self, slot: _Slot) -> None:
        import ray

        if slot in self._slots:
            self._slots.remove(slot)
            ray.kill(slot.actor)

    def _force(self) -> None:
        """Ends actors that did not end their trials in time."""
        import ray

        now_s = time.monotonic()
        for slot in self._slots:
            if slot.force_at_s is not None and now_s > slot.force_at_s:
                slot.force_at_s += FORCE_S
                ray.kill(slot.actor)

    def _complaints(self) -> list[Event]:
        """Tells once of each trial that waits for long."""
        now_s = time.monotonic()
        late = [own for own in self._waiting if own.told_at_s and now_s > own.told_at_s]
        for own in late:
            own.told_at_s = None
        held = ", ".join(f"{name}={value}" for name, value in self._held.items())
        text = f"waits for a place in the Ray cluster with {held}"
        return [Reported(own.launch.trial.number, (), (text,)) for own in late]

    def _withdraw(self, number: int) -> None:
        """Ends a trial that still waits for an actor."""
        for waiting in self._waiting:
            if waiting.launch.trial.number == number:
                self._waiting.remove(waiting)
                outcome, reason = Outcome.PREEMPTED, "ended before it began"
                self._ended_here.append(Exited(number, outcome, reason))
                return

    def _slot_of(self, number: int) -> _Slot | None:
        for slot in self._slots:
            if slot.launch is not None and slot.launch.trial.number == number:
                return slot
        return None


@dataclass(eq=False)
class _Slot:
    """An actor; what it was asked last, where it is once it is ready, what it runs.

    `first` while the trial has not been heard of, and no other actor was lost with it.
    """

    actor: Any
    answer: Any
    place: Place | None = None
    launch: Launch | None = None
    first: bool = False
    force_at_s: float | None = None


@dataclass(eq=False)
class _Waiting:
    """A trial without an actor, and when the user is to be told of it.

    `again`: it was given to an actor that turned out to be dead.
    """

    launch: Launch
    told_at_s: float | None
    again: bool = False


def _checked_room(
    num_cpus: float, num_gpus: float, resources: Mapping[str, float]
) -> dict[str, Any]:
    """What one actor holds, as Ray's options."""
    named = {"num_cpus": num_cpus, "num_gpus": num_gpus, **resources}
    for name, amount in named.items():
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            raise ExecutorError(f"{name} is a number, got {amount!r}")
        if not 0 <= amount < float("inf"):
            raise ExecutorError(f"{name} is from 0, got {amount!r}")
    room: dict[str, Any] = {"num_cpus": num_cpus, "num_gpus": num_gpus}
    return {**room, "resources": dict(resources)} if resources else room


def _lost_trial(slot: _Slot, error: Exception) -> Exited:
    """The end of a trial whose actor died: not its own doing if we or Ray wanted it."""
    number = slot.launch.trial.number if slot.launch else -1
    if slot.force_at_s is not None:
        return Exited(number, Outcome.PREEMPTED, "ended by force")
    host = slot.place.host if slot.place else "an unknown node"
    wanted = bool(getattr(error, "preempted", False))
    outcome = Outcome.PREEMPTED if wanted else Outcome.FAILED
    return Exited(number, outcome, f"lost with its Ray actor on {host}: {_why(error)}")


def _why(error: Exception) -> str:
    import ray

    if isinstance(error, ray.exceptions.ActorUnavailableError):
        return "it does not answer any more"
    if "node" in str(error).lower():
        return "its node has died"
    return first_line(error)
