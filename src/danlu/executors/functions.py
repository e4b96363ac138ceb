"""A training function: what it may return, and how it travels to another process."""

from __future__ import annotations

import dis
import importlib
import importlib.machinery
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import CodeType, ModuleType
from typing import Any

from ..client import LiveTrial, ReportError
from ..errors import ExecutorError
from ..jsontext import shown


def report_result(live: LiveTrial, result: object) -> None:
    """Reports what a training function returned, at its last step (1 if it has none).

    A number is the study's metric, a mapping several metrics, None nothing.

    Raises:
        ReportError: it is something else.
    """
    if result is None:
        return
    metrics = result if isinstance(result, Mapping) else {live.metric: result}
    try:
        live.report(1 if live.step is None else live.step, **metrics)
    except (ReportError, TypeError) as error:
        raise ReportError(
            f"the training function returned {shown(result)}: return a number, a "
            f"mapping of metric to number, or nothing ({error})"
        ) from None


def packed(function: Callable[..., Any]) -> bytes:
    """The function as bytes that another process can load.

    Code that a fresh process could not import (a script's main module, a notebook, a
    lambda) travels by value, everything else by its name.

    Raises:
        ExecutorError: it holds something that cannot travel.
    """
    import cloudpickle

    try:
        with _by_value(sys.modules.get(getattr(function, "__module__", ""))):
            return bytes(cloudpickle.dumps(function))
    except (pickle.PicklingError, TypeError, ValueError, AttributeError) as error:
        raise ExecutorError(
            f"the training function cannot be sent to another process: {error}; "
            "create what it needs inside the function"
        ) from error


def imported_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """Modules that the function imports when it is called, in order.

    >>> def train():
    ...     import json.decoder
    >>> imported_names(train)
    ('json.decoder',)
    """
    inner = getattr(function, "func", function)  # functools.partial
    called = inner if hasattr(inner, "__code__") else type(inner).__call__
    code = getattr(called, "__code__", None)
    return tuple(dict.fromkeys(_imports(code))) if code is not None else ()


def _imports(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _imports(constant)


@contextmanager
def _by_value(module: ModuleType | None) -> Iterator[None]:
    """Lets cloudpickle send the module's functions by value if need be."""
    import cloudpickle

    if module is None or module.__name__ == "__main__" or _importable(module):
        yield
        return
    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _importable(module: ModuleType) -> bool:
    """Whether a fresh process with this path would find the same file."""
    top = module.__name__.partition(".")[0]
    spec = importlib.machinery.PathFinder.find_spec(top)
    loaded = sys.modules.get(top)
    if spec is None:
        return top in sys.builtin_module_names
    return loaded is not None and spec.origin == getattr(loaded, "__file__", None)


def import_quietly(names: Iterable[str]) -> None:
    """Imports ahead what can be; the trial itself will say what cannot."""
    for name in filter(None, names):
        with suppress(Exception, SystemExit):
            importlib.import_module(name)
