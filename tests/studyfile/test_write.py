from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from danlu.domain import Belief, Choice, Domain, Float, Int
from danlu.metric import Metric
from danlu.schedulers import Median
from danlu.study import Study
from danlu.studyfile import Program, load, study_text
from tests.test_codec import studies

RATE = Float(1e-4, 1.0, log=True)
SPACES: list[dict[str, Domain]] = [
    {"lr": RATE},
    {"x": Float(-2, 0), "k": Int(0, 1), "n": Int(1, 10**6, log=True)},
    {"lr": Float(1e-4, 1.0, log=True, belief=Belief(3e-3, 0.8))},
    {"word": Choice(["1e-4", "no", "a b", "x: y", ""]), "flag": Choice([True, None])},
    {"batch": Choice([32, 64], ordered=True, belief=Belief(64))},
    {"optimizer": Choice({"adam": {"lr": RATE}, "none": {}}), "width": Int(8, 64)},
    {"a": Choice({"b": {"c": Choice({"d": {"e": RATE}, "f": {}})}, "g": {"h": RATE}})},
]
FIELDS: list[dict[str, Any]] = [
    {},
    {"metric": Metric("acc", maximize=True, at="last"), "goal": "What? Why: how"},
    {"fixed": {"a b": "yes", "n": 1e-7}, "baseline": {"lr": 0.1}, "seed": 7},
    {"scheduler": Median(min_steps=3), "sampler": "gp", "max_steps": 10},
    {"constraints": ["ms <= 20"], "learn_from": ["other"], "note": "# no comment"},
    {"guards": ["ms <= 20", "test_err <= baseline + 0.005"]},
    {"scientific": ["lr"], "name": "7"},
]


def stated(**fields: Any) -> Study:
    given = {"name": "s", "goal": "Which?", "metric": "err", "trials": 9, **fields}
    return Study(**{"space": {"lr": RATE}, **given})


@pytest.mark.parametrize(
    "study",
    [*(stated(space=space) for space in SPACES), *(stated(**own) for own in FIELDS)],
)
def test_what_is_written_reads_back_as_the_same_study(
    study: Study, tmp_path: Path
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(study_text(study), encoding="utf-8")
    assert load(path).study == study


@pytest.mark.parametrize(
    "program",
    [
        Program(command=("python", "train.py", "{args}"), slots=2, gpus=("0", "1")),
        Program(function="train.py:train", time_s=90.0, pattern=r"(\w+)=(\d+)"),
    ],
)
def test_how_trials_are_started_is_written_too(
    program: Program, tmp_path: Path
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(study_text(stated(), program), encoding="utf-8")
    read = load(path).program
    assert (read.command, read.function) == (program.command, program.function)
    assert (read.slots, read.gpus, read.time_s) == (
        program.slots,
        program.gpus,
        program.time_s,
    )
    assert read.pattern == program.pattern


@settings(max_examples=100, deadline=None)
@given(studies())
def test_any_study_reads_back(study: Study) -> None:
    stated = replace(study, baseline=None)  # a file checks it, a study does not
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.yaml"
        path.write_text(study_text(stated), encoding="utf-8")
        back = load(path).study
    # A sampler without settings of its own comes back as its name: it is the same.
    assert stated == replace(back, sampler=study.sampler, scheduler=study.scheduler)
