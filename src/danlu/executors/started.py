"""A forked child of the process server becomes a trial."""

from __future__ import annotations

import atexit
import os
import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any, NoReturn

from .. import client
from . import processes
from .functions import import_quietly, report_result
from .threads import use_threads
from .wire import Spawn

# Signals that are held back until a new process is ready for them.
HELD_BACK = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGTERM})
NAME_PREFIX = "danlu-"
TERMINATED_CODE = 128 + signal.SIGTERM
NOT_STARTED_CODE = 127  # as shells have it


def process_name(spawn: Spawn) -> str:
    """The name of a trial's process, as `top` shows it; 15 characters at most."""
    return f"{NAME_PREFIX}{spawn.number}"[:15]


def become(
    spawn: Spawn,
    function: Callable[..., Any] | None,
    names: Iterable[str],
    descriptors: Sequence[int],
) -> NoReturn:
    """Runs the trial and never returns.

    It closes the server's `descriptors`, and imports the modules `names`, which the
    function needs and the server has not imported yet.
    """
    code = NOT_STARTED_CODE
    try:
        _detach(spawn)
        if spawn.words is not None:
            _run_command(spawn.words, {**os.environ, **spawn.environ})
        elif function is not None:
            for descriptor in descriptors:
                os.close(descriptor)
            code = _run_function(spawn, function, names)
    except BaseException:  # nothing may climb into the server's own code
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _detach(spawn: Spawn) -> None:
    """Its own session and files, and no trace of the server's signal handling."""
    parent = os.getppid()
    os.setsid()
    processes.die_with_parent()
    if os.getppid() != parent:
        os._exit(NOT_STARTED_CODE)
    signal.set_wakeup_fd(-1)
    for number in (*HELD_BACK, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    output = os.open(os.path.join(spawn.folder, "output.log"), flags, 0o666)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, standard in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, standard)
    for descriptor, stream in ((1, "stdout"), (2, "stderr")):
        text = open(  # noqa: SIM115  # open until the process ends
            descriptor,
            "w",
            buffering=1,
            encoding="utf-8",
            errors="backslashreplace",
            closefd=False,
        )
        setattr(sys, stream, text)


def _run_command(words: Sequence[str], environ: dict[str, str]) -> NoReturn:
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)
    try:
        os.execvpe(words[0], list(words), environ)
    except (OSError, ValueError) as error:
        print(f"danlu: cannot start {words[0]!r}: {error}")
        _flush()
        os._exit(NOT_STARTED_CODE)


def _run_function(
    spawn: Spawn, function: Callable[..., Any], names: Iterable[str]
) -> int:
    """Calls the training function as a program of its own; its exit code.

    The modules `names` are imported first: only what is there can be seeded.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _exit_at_once)
    processes.name_process(process_name(spawn))
    os.environ.update(spawn.environ)
    atexit._clear()  # the server's; those that the function registers are run
    import_quietly(names)
    _seed(spawn.seed)
    _share_cores(spawn.environ["OMP_NUM_THREADS"])
    live = client.current()
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)
        report_result(live, function(live))
        code = 0
    except SystemExit as error:
        code = _exit_code(error)
    except BaseException as error:  # the traceback is the trial's output
        inner = error.__traceback__.tb_next if error.__traceback__ else None
        traceback.print_exception(error.with_traceback(inner))
        code = 1
    _join_threads()
    atexit._run_exitfuncs()
    return code


def _exit_at_once(number: int, frame: FrameType | None) -> NoReturn:
    """Lets `finally` blocks run after SIGTERM; a second one changes nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(TERMINATED_CODE)


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def _seed(seed: int) -> None:
    """Seeds the global generators of what has been imported."""
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _share_cores(threads: str) -> None:
    """Undoes that imports had one thread; `4,2` means 4, and 2 within them."""
    first = threads.partition(",")[0].strip()
    if not first.isdecimal() or int(first) < 1:
        return
    use_threads(int(first))
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(int(first))


def _join_threads() -> None:
    """Lets threads that the function began finish, such as one that saves."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # a full disk, or closed by the program
            continue
