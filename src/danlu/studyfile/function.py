"""A Python function named on a command line or in a file: `train.py:train`."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import ExecutorError, StudyError, did_you_mean

_REFERENCE = re.compile(r"(?P<module>[^:]+):(?P<name>[A-Za-z_][\w.]*)$")


def is_reference(text: str) -> bool:
    """Whether a text names a function, as `train.py:train` or `package.module:train`.

    >>> is_reference("train.py:train"), is_reference("study.yaml")
    (True, False)
    """
    match = _REFERENCE.match(text)
    if match is None:
        return False
    module = match["module"]
    return module.endswith(".py") or all(p.isidentifier() for p in module.split("."))


def load_function(reference: str, folder: Path) -> Callable[..., Any]:
    """The function that `train.py:train` or `package.module:train` names.

    Raises:
        StudyError: there is no such file, module or function.
    """
    match = _REFERENCE.match(reference)
    if match is None:
        raise StudyError(f"{reference!r} names no function: write train.py:train")
    if match["module"].endswith(".py"):
        module = _module_of_file(folder / match["module"])
    else:
        module = _module_of_name(match["module"], folder)
    value: Any = module
    for part in match["name"].split("."):
        if not hasattr(value, part):
            known = [name for name in vars(value) if callable(getattr(value, name))]
            hint = did_you_mean(part, [name for name in known if name[0] != "_"])
            raise StudyError(f"{reference}: no function {part!r} there: {hint}")
        value = getattr(value, part)
    if not callable(value):
        raise StudyError(f"{reference} is {value!r}, not a function")
    return value  # type: ignore[no-any-return]  # it is callable


def _module_of_file(path: Path) -> ModuleType:
    """The module in a file, imported under the file's own name as a neighbor would."""
    if not path.is_file():
        raise StudyError(f"no file {path}: the function's file is looked for there")
    module = _module_of_name(path.stem, path.parent)
    found = Path(module.__file__ or "")
    if found.resolve() != path.resolve():
        raise StudyError(
            f"{path} has the name of another module ({found}): give it another name"
        )
    return module


def _module_of_name(name: str, folder: Path) -> ModuleType:
    where = str(folder.resolve())
    if where not in sys.path:
        sys.path.insert(0, where)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and name.startswith(error.name):
            raise StudyError(f"no module {name!r} in {where} or installed") from None
        raise ExecutorError(f"{name} needs {error.name!r}, not installed") from error
    except (Exception, SystemExit) as error:
        kind = type(error).__name__
        raise ExecutorError(f"{name} cannot be imported: {kind}: {error}") from error
