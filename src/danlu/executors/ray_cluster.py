"""The connection to a Ray cluster, and what is done on its nodes outside of actors."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ExecutorError
from . import processes
from .base import Launch
from .ray_folders import end_leftovers_here, handed_to, is_elsewhere

ANSWER_S = 10.0  # for a cluster to answer at all: Ray itself would wait two minutes
LEFTOVERS_S = 20.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def connect(address: str | None) -> bool:
    """Connects to a cluster unless there is a connection; whether it did.

    Raises:
        ExecutorError: Ray is missing, or no cluster answers.
    """
    try:
        import ray
    except ImportError:
        raise ExecutorError("Ray is missing: pip install 'danlu[ray]'") from None
    if ray.is_initialized():
        return False
    try:
        _check_that_it_listens(address)
        _undisturbed(lambda: _init(address))
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ExecutorError(
            f"no Ray cluster can be used at {address or 'this machine'}: "
            f"{first_line(error)}; {_advice(error)}"
        ) from error
    return True


def disconnect() -> None:
    """Ends the connection, and the cluster if it was started by it."""
    import ray

    _undisturbed(ray.shutdown)


def end_leftovers_elsewhere(launch: Launch) -> None:
    """Kills what is left of a trial's processes on another node, if that one lives."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    for node in ray.nodes():
        if not node["Alive"] or not _ran_on(launch, node):
            continue
        place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        task = ray.remote(end_leftovers_here).options(
            num_cpus=0, max_retries=0, scheduling_strategy=place
        )
        ray.wait([task.remote(launch)], timeout=LEFTOVERS_S)
        return


def _ran_on(launch: Launch, node: Mapping[str, Any]) -> bool:
    """Whether the trial was started last on this node, which is not this machine."""
    if is_elsewhere(launch):
        place = handed_to(launch.folder)
        return place is not None and place.node == node["NodeID"]
    host = processes.host_of(launch.folder)
    return host != socket.gethostname() and host == node["NodeManagerHostname"]


def first_line(error: Exception) -> str:
    """The first line of what an error says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _advice(error: BaseException) -> str:
    if "token" in f"{error} {error.__cause__}".lower():
        return "it asks for a token, and Ray must know it here: RAY_AUTH_MODE=token"
    return "`ray start --head` starts one, and without an address danlu does so itself"


def _init(address: str | None) -> None:
    import ray

    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)


def _check_that_it_listens(address: str | None) -> None:
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_S).close()


def _undisturbed(action: Callable[[], object]) -> None:
    """Does something of Ray's that replaces how signals are handled, and undoes that.

    Ctrl-C and SIGTERM are the loop's.
    """
    if threading.current_thread() is not threading.main_thread():
        action()
        return
    kept = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        action()
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
