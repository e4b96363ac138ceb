from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "danlu"
PATHS = sorted(SOURCE.rglob("*.py"))

# Second names for things that have one, and names that say nothing (STYLE.md).
INSTEAD = {
    "pruner": "scheduler",
    "searcher": "sampler",
    "backend": "storage or executor",
    "config": "params or study",
    "configs": "params or study",
    "configuration": "params or study",
    "job": "trial",
    "jobs": "trials",
    "util": "what it does",
    "utils": "what they do",
    "helper": "what it does",
    "helpers": "what they do",
    "manager": "what it does",
    "managers": "what they do",
}
# A job of Slurm is a thing of its own: what the cluster runs, once for each start.
OWN_WORDS = {"slurm.py": {"job", "jobs"}, "slurm_job.py": {"job", "jobs"}}
OWN_WORDS["slurm_queue.py"] = {"job", "jobs"}


def words(name: str) -> list[str]:
    """The words in a name: `TrialState` and `trial_state` are trial, state."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")


def defined_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Each name that a file itself gives to something, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, node.lineno
            case ast.arg():
                yield node.arg, node.lineno
            case ast.Name(ctx=ast.Store()):
                yield node.id, node.lineno
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr, node.lineno
            case ast.alias(asname=str()):
                yield str(node.asname), node.lineno


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_thing_has_one_name(path: Path) -> None:
    names = [(path.stem, 1), *defined_names(ast.parse(path.read_text("utf-8")))]

    second = [
        f"line {line}: {name!r} says {word!r}, our word is {INSTEAD[word]!r}"
        for name, line in names
        for word in words(name)
        if word in INSTEAD and word not in OWN_WORDS.get(path.name, ())
    ]

    assert [] == second


def test_words_are_told_apart_in_both_ways_of_writing() -> None:
    assert ["trial", "state"] == words("TrialState")
    assert ["trial", "state"] == words("trial_state")
