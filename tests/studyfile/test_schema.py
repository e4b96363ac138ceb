from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from danlu import presets
from danlu.studyfile import KEYS, read, schema

ROOT = Path(__file__).parents[2]
GOOD: dict[str, Any] = {
    "study": "s", "goal": "Why?", "metric": "loss", "space": {"lr": "0.0..1.0"},
    "trials": 3,
}  # fmt: skip


def is_valid(stated: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator(schema()).is_valid(stated))


def study_files() -> list[Path]:
    places = [ROOT / "examples", ROOT / "src" / "danlu" / "cli" / "starters"]
    return sorted(path for place in places for path in place.glob("**/study*.yaml"))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_schema_knows_the_keys_of_a_study_file() -> None:
    assert set(schema()["properties"]) == set(KEYS)


def test_the_published_schema_is_the_one_in_the_package() -> None:
    packaged = ROOT / "src" / "danlu" / "studyfile" / "study.schema.json"
    published = ROOT / "docs" / "study.schema.json"
    assert published.read_text() == packaged.read_text()


def test_there_are_examples_to_check() -> None:
    assert len(study_files()) >= 2


@pytest.mark.parametrize("path", study_files(), ids=str)
def test_every_example_satisfies_the_schema(path: Path) -> None:
    jsonschema.validate(read(path).content, schema())


@pytest.mark.parametrize(
    "domain",
    [
        "1e-4..1e-1:log",
        "sgd|adam",
        [1, "b", True, None],
        {"float": [0, 1], "log": True},
        {"int": [1, 8]},
        {"choice": ["a", "b"], "ordered": True},
        "1e-4..1e-1:log~3e-3",
        {"float": [0, 1], "belief": 0.5},
        {"int": [1, 8], "belief": {"center": 3, "confidence": 0.8}},
        {"choice": ["a", "b"], "belief": "a"},
        {"choice": {"adam": {"lr": "1e-4..1e-1:log"}, "sgd": None}},
    ],
)
def test_every_form_of_a_domain_satisfies_the_schema(domain: object) -> None:
    assert is_valid({**GOOD, "space": {"x": domain}})


@pytest.mark.parametrize(
    "change",
    [
        {"trails": 3},
        {"trials": 0},
        {"space": {}},
        {"space": {"lr": 0.1}},
        {"space": {"lr": {"float": [0]}}},
        {"metric": {"goal": "min"}},
        {"command": "a", "function": "b.py:c"},
        {"limits": {"time": "soon"}},
        {"limits": {"tme": 3}},
        {"slots": 0},
        {"constraints": ["ms < 3"]},
        {"constraints": [3]},
        {"guards": ["err <= base"]},
        {"guards": ["err <= baseline * 2"]},
        {"learn_from": 3},
        {"space": {"x": {"float": [0, 1], "belief": {"confidence": 0.5}}}},
        {"space": {"x": {"float": [0, 1], "belief": {"center": 1, "confidence": 1}}}},
    ],
)
def test_what_a_study_file_must_not_say_breaks_the_schema(
    change: dict[str, Any],
) -> None:
    assert is_valid(GOOD)
    assert not is_valid({**GOOD, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"constraints": "latency_ms <= 20"},
        {"guards": "latency_ms <= 20"},
        {"guards": ["err<=baseline", "val acc >= baseline - .5", "ms <= baseline+2e1"]},
        {"constraints": ["latency_ms<=2e1", "val acc >= .5"]},
        {"learn_from": ["first"]},
        {"learn_from": "first"},
    ],
)
def test_what_a_study_file_may_say_satisfies_the_schema(change: dict[str, Any]) -> None:
    assert is_valid({**GOOD, **change})


def test_the_schema_knows_the_presets() -> None:
    stated = schema()["$defs"]["domains"]["properties"]["preset"]["oneOf"]
    assert tuple(stated[0]["enum"]) == presets.names()


@pytest.mark.parametrize(("name", "valid"), [("cnn", True), ("cn", False)])
def test_a_space_may_begin_with_a_preset(name: str, valid: bool) -> None:
    assert is_valid({**GOOD, "space": {"preset": name, "x": "1..4"}}) is valid
