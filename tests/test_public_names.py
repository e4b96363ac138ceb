from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, UnionType

import pytest

import danlu

SLOW_TO_IMPORT = ("numpy", "scipy", "sqlalchemy", "alembic", "torch", "yaml", "rich")
# Modules that cannot be imported on their own, or start something when they are.
NOT_IMPORTED = ("danlu.storage.migrations", "danlu.__main__", "danlu.cli.__main__")


def public() -> list[tuple[ModuleType, str]]:
    """Every name that users are told of: danlu's own, and those of its modules."""
    found: list[tuple[ModuleType, str]] = []
    for name in danlu.__all__:
        value = getattr(danlu, name)
        if isinstance(value, ModuleType):
            found += [(value, inner) for inner in getattr(value, "__all__", [])]
        else:
            found.append((danlu, name))
    return [pair for pair in found if not isinstance(getattr(*pair), UnionType)]


def modules() -> list[str]:
    found = pkgutil.walk_packages(danlu.__path__, "danlu.", onerror=lambda _: None)
    names = ["danlu", *(module.name for module in found)]
    return [name for name in names if not name.startswith(NOT_IMPORTED)]


def imported_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after `statement`."""
    program = f"{statement}\nimport sys; print(*sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in output.stdout.split()}


@pytest.mark.parametrize(("module", "name"), public())
def test_a_public_name_is_explained_with_an_example(
    module: ModuleType, name: str
) -> None:
    explained = getattr(module, name).__doc__ or ""

    assert ">>> " in explained, f"{module.__name__}.{name} has no example"


@pytest.mark.parametrize("name", modules())
def test_the_examples_of_a_module_are_right(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)

    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)

    assert result.failed == 0


def test_every_public_name_can_be_had() -> None:
    missing = [name for name in danlu.__all__ if not hasattr(danlu, name)]

    assert [] == missing


def test_importing_danlu_imports_nothing_slow() -> None:
    assert set() == imported_by("import danlu").intersection(SLOW_TO_IMPORT)


def test_importing_the_client_imports_nothing_but_the_standard_library() -> None:
    loaded = imported_by("import danlu.client") - sys.stdlib_module_names

    before = imported_by("pass") - sys.stdlib_module_names
    assert {"danlu"} == loaded - before
