"""Public names that are loaded when they are first used (PEP 562).

`import danlu`, and a command that only reads, need neither torch nor scipy.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any


def names(
    package: str, homes: Mapping[str, str], modules: Collection[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package.

    `homes` has each public name with the module of the package that defines it,
    `modules` those that are public themselves.

    >>> __getattr__, __dir__ = names("danlu", {"SearchSpace": "space"}, ["client"])
    >>> __getattr__("SearchSpace").__name__
    'SearchSpace'
    """

    def load(name: str) -> Any:
        if name in modules:
            return importlib.import_module(f".{name}", package)
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f".{homes[name]}", package), name)
        setattr(sys.modules[package], name, value)  # the next use finds it there
        return value

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes, *modules})

    return load, listed
