from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"

# Imports go down only: a module may import what stands on a lower layer. A package
# stands for all modules in it; the longest entry that fits counts.
LAYERS = {
    "errors": 0,
    "jsontext": 0,
    "lazy": 0,
    "sentence": 0,
    "belief": 0,
    "blas": 0,
    "number": 0,
    "value": 0,
    "domain": 0,
    "space": 0,
    "trial": 0,
    "metric": 0,
    "constraint": 0,
    "guard": 0,
    "transfer": 0,
    "analysis.names": 0,
    "ledger": 1,
    "history": 1,
    "decide.decision": 1,
    "level": 1,
    "samplers.base": 1,
    "schedulers.base": 1,
    "executors.base": 1,
    "storage.base": 1,
    "analysis.base": 1,
    "analysis.agreement": 2,
    "analysis.curve_noise": 1,
    "analysis.metric_roles": 1,
    "analysis.looked": 1,
    "analysis.curve_classes": 2,
    "analysis.curve_cycles": 2,
    "analysis.bias": 1,
    "analysis.luck": 1,
    "analysis.repeats": 1,
    "analysis.surface": 1,
    "analysis.widen": 1,
    "analysis.edges": 2,
    "analysis.bounded": 1,
    "analysis.effects": 2,
    "analysis.forest": 1,
    "analysis.terms": 1,
    "analysis.compared": 2,
    "analysis.splits": 1,
    "analysis.groups": 2,
    "analysis.held": 2,
    "analysis.schedule": 2,
    "schedulers.rungs": 1,  # what is common to those that promote from rung to rung
    "schedulers.population": 1,  # the same for those that train in generations
    "schedulers.explore": 1,
    "schedulers.families": 1,  # families of learning curves, and what a study's say
    "schedulers.curves": 1,
    "samplers.parzen": 1,  # densities, beside the contract that they serve
    "client": 1,  # the training program's half of the executors' contract
    "checkpoints": 1,  # of the training program too
    "folders": 1,
    "sequence": 1,
    "samplers": 2,
    "schedulers": 2,
    "study": 2,
    "analysis": 3,  # what it finds is about a study
    "analysis.checks": 4,  # joins them, as recipes join methods
    "analysis.summary": 4,
    "executors": 3,
    "storage": 3,
    "owner": 3,
    "codec": 4,
    "auto": 4,
    "recipes": 4,
    "ask": 4,
    "settle": 4,
    "statement": 4,
    "memory": 4,
    "cleanup": 4,
    "interrupts": 4,
    "loop": 4,
    "replay": 4,
    "project": 4,
    "decide": 4,
    "log": 4,
    "outside": 4,
    "studies": 4,
    "presets": 4,
    "propose": 4,
    "carry": 4,
    "autopilot": 4,
    "budget": 4,
    "measured": 4,
    "studyfile": 4,
    "plots": 5,
    "report": 5,
    "service": 5,
    "testing": 5,
    "demo": 6,
    "cli": 7,
    "": 8,  # danlu/__init__.py: the public names
}
# Within these, modules of one package may import one another, and so may words,
# contracts and the modules of the flow.
OPEN_PACKAGES = {"executors", "storage", "studyfile", "plots", "report", "service"}
OPEN_PACKAGES |= {"cli", "training"}
OPEN_LAYERS = {0, 1, 4}
APART = {
    "training": {"training", "client", "checkpoints", "lazy"},
    "client": {"client", "checkpoints"},
    "checkpoints": {"checkpoints"},
}

STARTS_PROCESSES = {"subprocess", "multiprocessing", "pty", "concurrent.futures"}
PROCESS_CALLS = {"fork", "forkpty", "system", "popen", "posix_spawn", "posix_spawnp"}
# Which packages alone may import these.
HOMES = {
    "torch": {"training", "demo"},
    "lightning": {"training"},
    "transformers": {"training"},
    "accelerate": {"training"},
    "ray": {"executors"},
    "submitit": {"executors"},
    "fsspec": {"checkpoints"},
    "sqlalchemy": {"storage"},
    "alembic": {"storage"},
    "sqlite3": {"storage"},
    "psycopg": {"storage"},
    "click": {"cli"},
    "rich": {"cli", "report"},
    "jinja2": {"report", "service"},
    "fastapi": {"service"},
    **{name: {"executors"} for name in STARTS_PROCESSES},
    "multiprocessing": {"executors", "training"},  # batch sizes end in out-of-memory
}
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 40


def module_name(path: Path) -> str:
    """`samplers.random` for src/danlu/samplers/random.py; the package itself is ``."""
    parts = path.relative_to(SOURCE / "danlu").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(PATHS[module].read_text("utf-8"))


def layer(module: str) -> int | None:
    """The layer of a module, None where no entry of the table fits."""
    while module not in LAYERS:
        if "." not in module:
            return None
        module = module.rpartition(".")[0]
    return LAYERS[module]


def package(module: str) -> str:
    return module.partition(".")[0]


def own_package(module: str) -> str:
    """The dotted package that a relative import of one dot starts from."""
    is_package = PATHS[module].name == "__init__.py"
    return module if is_package else module.rpartition(".")[0]


def imported(module: str) -> Iterator[str]:
    """Full names of all that a module imports, local imports and type hints too."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = node.module or ""
            if node.level:
                above = ["danlu", *own_package(module).split(".")]
                above = [part for part in above if part]
                above = above[: len(above) - node.level + 1]
                start = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def own_imports(module: str) -> set[str]:
    """The modules of danlu that a module imports: `history`, `samplers.base`."""
    targets = set()
    for name in imported(module):
        if name.split(".")[0] != "danlu":
            continue
        target = name.removeprefix("danlu").removeprefix(".")
        while target not in PATHS:
            target = target.rpartition(".")[0]
        targets.add(target)
    return targets - {module}


def foreign_imports(module: str) -> set[str]:
    return {name for name in imported(module) if name.split(".")[0] != "danlu"}


def may_import(module: str, target: str) -> bool:
    if package(module) in APART:
        return package(target) in APART[package(module)]
    if not module:
        return True
    is_member = target.startswith(f"{module}.")  # a package and what it is made of
    if is_member and PATHS[module].name == "__init__.py":
        return True
    own, others = layer(module), layer(target)
    if own is None or others is None:
        return False
    if own != others:
        return own > others
    if method_folder(module) and method_folder(module) == method_folder(target):
        return True
    same_package = package(module) == package(target)
    return own in OPEN_LAYERS or (same_package and package(module) in OPEN_PACKAGES)


def method_folder(module: str) -> str:
    """`samplers.gp` for samplers.gp.fit: a method that is a folder of modules."""
    parts = module.split(".")
    return ".".join(parts[:2]) if len(parts) > 2 else ""


def functions(module: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of_body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function below its signature and its docstring."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """Modules that import one another in a ring, empty where there is no ring."""
    done: set[str] = set()

    def follow(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for target in sorted(graph[module]):
            if found := follow(target, [*path, module]):
                return found
        done.add(module)
        return []

    return next((found for start in graph if (found := follow(start, []))), [])


@pytest.mark.parametrize("module", PATHS)
def test_every_module_has_its_layer(module: str) -> None:
    assert package(module) in APART or layer(module) is not None, (
        f"danlu.{module} stands on no layer: add it to LAYERS"
    )


@pytest.mark.parametrize("module", PATHS)
def test_imports_point_down_only(module: str) -> None:
    wrong = [
        f"danlu.{module} imports danlu.{target}"
        for target in sorted(own_imports(module))
        if not may_import(module, target)
    ]

    assert [] == wrong


def test_no_modules_import_one_another_in_a_ring() -> None:
    graph = {module: own_imports(module) for module in PATHS if module}

    assert [] == cycle(graph)


@pytest.mark.parametrize("module", PATHS)
def test_each_foreign_package_has_one_home(module: str) -> None:
    wrong = [
        f"danlu.{module} imports {name}, which only {sorted(homes)} may"
        for name in sorted(foreign_imports(module))
        for foreign, homes in HOMES.items()
        if f"{name}.".startswith(f"{foreign}.") and package(module) not in homes
    ]

    assert [] == wrong


@pytest.mark.parametrize("module", PATHS)
def test_only_executors_start_processes(module: str) -> None:
    calls = [
        f"danlu.{module}, line {node.lineno}: os.{node.attr}"
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and (node.attr in PROCESS_CALLS or node.attr.startswith(("exec", "spawn")))
    ]

    assert package(module) == "executors" or calls == []


def test_the_client_needs_nothing_but_the_standard_library() -> None:
    names = {name.split(".")[0] for name in imported("client")}

    assert set() == names - sys.stdlib_module_names - {"danlu"}


@pytest.mark.parametrize("module", PATHS)
def test_a_file_is_short(module: str) -> None:
    lines = len(PATHS[module].read_text("utf-8").splitlines())

    assert lines <= MOST_LINES, f"{PATHS[module].name} has {lines} lines"


@pytest.mark.parametrize("module", PATHS)
def test_a_function_is_short(module: str) -> None:
    long = [
        f"danlu.{module}.{function.name} has {lines_of_body(function)} lines"
        for function in functions(module)
        if lines_of_body(function) > MOST_LINES_OF_A_FUNCTION
        and ".migrations." not in module  # a list of tables, and never edited again
    ]

    assert [] == long


@pytest.mark.parametrize("module", PATHS)
def test_a_file_says_first_what_it_is_for(module: str) -> None:
    caption = (ast.get_docstring(tree(module)) or "").splitlines()

    assert caption, f"{PATHS[module].name} has no docstring"
    assert len(caption[0]) <= 88
