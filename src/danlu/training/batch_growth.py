"""Which batch sizes fit, how fast each is, and what limits them (playbook T5).

Each size is tried in a process of its own, which may run out of memory for real. The
batch size is chosen for speed; it is never tuned for validation error.
"""

from __future__ import annotations

import multiprocessing
import resource
import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Literal

import torch

from .examples import batch_of, size_of
from .program import Program, seeded

UPDATES = 3  # that are timed, after one that is not
BETWEEN = (0.75, 0.5, 0.25)  # of the way from the last power of two that fits
GAIN = 1.1  # of throughput for twice the size; less is saturation
# Parts of what CUDA, cuBLAS, MPS and the allocators of C say.
OUT_OF_MEMORY = ("out of memory", "can't allocate", "ALLOC_FAILED", "bad_alloc")
# What kernels say of a batch that they cannot count or lay out: also too large.
TOO_LARGE = ("32-bit index", "32BitIndex", "INT_MAX", "invalid configuration argument")


class ProgramError(RuntimeError):
    """The program fails at a batch size, and not for the want of memory.

    >>> issubclass(ProgramError, RuntimeError)
    True
    """


@dataclass(frozen=True)
class SizeTried:
    """One size: whether it fits, and seconds for an update and for reading a batch.

    `peak_bytes` is the most memory that was taken on a GPU and `memory_bytes` what
    there is; None on a CPU. A size at which CUDA's allocator has to give back memory
    and ask again at each update does not fit: that is slow, and a larger example ends
    it.

    >>> SizeTried(8, True, update_s=0.01, read_s=0.001).examples_per_s
    800.0
    """

    size: int
    fits: bool
    update_s: float = 0.0
    read_s: float = 0.0
    reason: str = ""
    peak_bytes: int | None = None
    memory_bytes: int | None = None

    @property
    def examples_per_s(self) -> float:
        """How many examples an update uses in a second, without reading them."""
        return self.size / self.update_s if self.update_s else 0.0


@dataclass(frozen=True)
class BatchSizes:
    """What was tried; the largest size that was seen to fit, None where none did.

    `saturation` is the size from which on twice as much gives less than 10 % more
    examples a second, None where that was not reached. `bottleneck` is what takes
    longer at that size. `headroom` is the share of a GPU's memory that the largest size
    leaves, None on a CPU.

    >>> tried = SizeTried(1, True, 1.0, 0.1), SizeTried(2, True, 2.0, 0.1)
    >>> sizes_of(tried).saturation
    1
    """

    tried: tuple[SizeTried, ...]
    largest: int | None
    saturation: int | None
    bottleneck: Literal["input", "compute"] | None
    headroom: float | None = None


def batch_sizes(
    program: Program, *, most: int | None = None, memory_bytes: int | None = None
) -> BatchSizes:
    """Tries powers of two up to `most`, and where one does not fit, sizes below it.

    `most` is the number of training examples by default. `memory_bytes` limits what the
    process that tries may take: of a GPU's memory, or of address space on a CPU.

    Raises:
        ValueError: `most` is below 1.
        RuntimeError: this process uses a GPU already, which a child cannot share.
    """
    if most is not None and most < 1:
        raise ValueError(f"batch_sizes needs most >= 1, got most={most}")
    if program.device != "cpu" and torch.cuda.is_initialized():
        raise RuntimeError(
            "batch sizes are tried in child processes, and this process uses CUDA "
            "already: ask for them before anything else is put on the GPU"
        )
    torch.optim.SGD([torch.zeros(1)])  # loads modules for a second: not in each child
    top = size_of(program.train) if most is None else most
    tried: list[SizeTried] = []
    size = 1
    while size <= top:
        try:
            tried.append(_in_a_child(program, size, memory_bytes))
        except ProgramError as error:
            if size > 1 or top == 1:
                raise
            tried.append(SizeTried(1, False, reason=str(error)))  # as a batch norm does
        if size > 1 and not tried[-1].fits:
            break
        size *= 2
    if len(tried) > 1 and not tried[-1].fits:
        tried += _between(program, tried[-2].size, memory_bytes)
    return sizes_of(tuple(tried))


def sizes_of(tried: tuple[SizeTried, ...]) -> BatchSizes:
    """What the sizes that were tried say.

    >>> sizes_of((SizeTried(1, False),)).largest
    """
    fitting = sorted((own for own in tried if own.fits), key=lambda own: own.size)
    doubled = [own for own in fitting if own.size & (own.size - 1) == 0]
    saturated = next(
        (
            own
            for own, twice in pairwise(doubled)
            if twice.examples_per_s < GAIN * own.examples_per_s
        ),
        None,
    )
    at = saturated or (fitting[-1] if fitting else None)
    slow = None if at is None else "input" if at.read_s > at.update_s else "compute"
    return BatchSizes(
        tried,
        fitting[-1].size if fitting else None,
        saturated.size if saturated else None,
        slow,  # type: ignore[arg-type]  # one of the two words
        _headroom(fitting[-1]) if fitting else None,
    )


def _headroom(tried: SizeTried) -> float | None:
    if tried.peak_bytes is None or not tried.memory_bytes:
        return None
    return 1 - tried.peak_bytes / tried.memory_bytes


def _between(program: Program, fits: int, memory_bytes: int | None) -> list[SizeTried]:
    """Sizes above a power of two that fits, from the largest; the first that fits."""
    tried: list[SizeTried] = []
    for share in BETWEEN:
        size = int(fits * (1 + share))
        if size == fits:
            break
        tried.append(_in_a_child(program, size, memory_bytes))
        if tried[-1].fits:
            break
    return tried


def _in_a_child(program: Program, size: int, memory_bytes: int | None) -> SizeTried:
    # The factories are often lambdas, which only a forked child has.
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_try, args=(theirs, program, size, memory_bytes))
    _start(child)
    theirs.close()
    try:
        found = ours.recv()
    except EOFError:
        child.join()
        says = f"ended with {child.exitcode}"
        if child.exitcode is not None and child.exitcode >= 0:
            raise _refused(size, says) from None
        return SizeTried(size, False, reason=says)  # killed, where memory ends
    finally:
        ours.close()
    child.join()
    if isinstance(found, SizeTried):
        return found
    raise _refused(size, found)


def _refused(size: int, says: object) -> ProgramError:
    return ProgramError(f"a batch of {size} could not be trained on: {says}")


def _start(child: multiprocessing.process.BaseProcess) -> None:
    """Forks from a thread that has not computed anything yet.

    OpenMP keeps a pool of workers for each thread, and a child has the pool of the
    thread that forked it without the workers: it would wait for them without end.
    """
    thread = threading.Thread(target=child.start)
    thread.start()
    thread.join()
    if child.pid is None:
        raise RuntimeError(
            "no child process could be forked to try a batch size in (the reason is "
            "above): free some memory"
        )


def _try(to: Connection, program: Program, size: int, limit: int | None) -> None:
    try:
        if limit is not None:
            _limit(program.device, limit)
        to.send(_timed(program, size))
    except Exception as error:  # whatever the program raises: the parent raises it
        says = str(error)
        first = (says.splitlines() or ["out of memory"])[0]
        if _is_too_large(error):
            to.send(SizeTried(size, False, reason=first))
        else:
            to.send(f"{type(error).__name__}: {says}")


def _is_too_large(error: Exception) -> bool:
    signs = (*OUT_OF_MEMORY, *TOO_LARGE)
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)


def _limit(device: str, limit: int) -> None:
    if _is_cuda(device):
        whole = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit / whole), device)
    else:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _timed(program: Program, size: int) -> SizeTried:
    count = size_of(program.train)
    with seeded(program.seed):
        model, optimizer = program.build()
        updates, reads = [], []
        retries = 0
        for turn in range(1 + UPDATES):
            places = [(turn * size + place) % count for place in range(size)]
            began = _now()
            batch = batch_of(program.train, places, program.device)
            read = _now()
            (program.step or program.update)(model, optimizer, batch)
            reads.append(read - began)
            updates.append(_now() - read)
            if turn == 0:  # the first update may rearrange what it finds
                retries = _retries(program.device)
    tight = _retries(program.device) - retries
    return SizeTried(
        size,
        not tight,
        min(updates[1:]),
        min(reads[1:]),
        f"memory was given back and asked for again {tight} times" if tight else "",
        *_memory(program.device),
    )


def _retries(device: str) -> int:
    """How often CUDA's allocator found no room at once."""
    if not _is_cuda(device):
        return 0
    return int(torch.cuda.memory_stats(device).get("num_alloc_retries", 0))


def _memory(device: str) -> tuple[int | None, int | None]:
    """The most that was taken from a GPU, and what it has."""
    if not _is_cuda(device):
        return None, None
    whole = torch.cuda.get_device_properties(device).total_memory
    return int(torch.cuda.max_memory_reserved(device)), int(whole)


def _is_cuda(device: str) -> bool:
    return bool(torch.device(device).type == "cuda")


def _now() -> float:
    """The clock, once the GPU has done what it was given."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()
