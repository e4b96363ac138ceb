"""How many threads a trial uses: its part of the cores, and none that a fork breaks."""

from __future__ import annotations

import ctypes
import os
import re
from contextlib import suppress
from pathlib import Path

import psutil

# GNU's, LLVM's and Intel's, also under the names that wheels give to their copies.
_OPENMP = re.compile(r"(/\S*/lib(?:gomp|omp|iomp5)[^/\s]*\.so\S*)")


def trial_variables(slots: int) -> dict[str, str]:
    """What trials have in their environment, unless the user has set it.

    Output is seen at once. Every slot gets an equal part of the cores, since more
    threads than cores slow all of them down.
    """
    threads = str(max(1, cores() // slots))
    variables = {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": threads}
    return {name: os.environ.get(name, value) for name, value in variables.items()}


def import_variables(slots: int) -> dict[str, str]:
    """What holds while a function's module is imported: OpenMP on one thread.

    Its pool of threads would not survive the fork, and trials would hang. The one of
    OpenBLAS, which NumPy uses, does, and its size is set when it is loaded.
    """
    threads = trial_variables(slots)["OMP_NUM_THREADS"]
    blas = os.environ.get("OPENBLAS_NUM_THREADS", threads)
    return {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": blas}


def cores() -> int:
    """The physical cores that this process may use."""
    logical = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        logical = len(os.sched_getaffinity(0))
    return min(logical, psutil.cpu_count(logical=False) or logical)


def use_threads(count: int) -> None:
    """Has every OpenMP library that is loaded use `count` threads from now on."""
    with suppress(OSError):
        maps = Path("/proc/self/maps").read_text()
        for path in set(_OPENMP.findall(maps)):
            with suppress(OSError, AttributeError):
                ctypes.CDLL(path).omp_set_num_threads(count)
