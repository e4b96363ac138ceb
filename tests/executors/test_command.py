"""`{name}` in a command stands for what the trial has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from danlu.errors import ExecutorError
from danlu.executors.base import Launch
from danlu.executors.command import arguments, check_program, filled
from danlu.trial import Trial
from danlu.value import Value


def launch(params: Mapping[str, Value], budget: int | None = 9) -> Launch:
    trial = Trial(4, params, budget=budget, seed=7)
    return Launch("digits", trial, "loss", Path("/tmp/4"), ("lr", "opt", "momentum"))


def test_params_are_filled_in() -> None:
    words = ["train", "--lr={lr}", "{opt}", "{warm}", "{layers}"]
    params: dict[str, Value] = {"lr": 1e-05, "opt": "adam", "warm": True, "layers": 3}
    expected = ["train", "--lr=1e-05", "adam", "true", "3"]
    assert filled(words, launch(params)) == expected


def test_what_is_known_of_the_trial_is_filled_in() -> None:
    words = ["{trial}", "{study}", "{seed}", "{budget}", "{checkpoint}", "{report}"]
    expected = ["4", "digits", "7", "9", "/tmp/4/checkpoint", "/tmp/4/reports.jsonl"]
    assert filled(words, launch({})) == expected


def test_args_are_all_params() -> None:
    params: dict[str, Value] = {"lr": 0.1, "opt": "a b"}
    expected = ["train", "--lr", "0.1", "--opt", "a b"]
    assert filled(["train", "{args}"], launch(params)) == expected


def test_args_for_hydra_are_all_params() -> None:
    assert filled(["{args:hydra}"], launch({"lr": 0.1})) == ["lr=0.1"]


def test_args_within_a_shell_line_are_quoted() -> None:
    words = ["bash", "-c", "train {args}"]
    assert filled(words, launch({"opt": "a b"}))[2] == "train --opt 'a b'"


def test_other_braces_are_left_alone() -> None:
    words = ["awk", "{print $1}", "{}", "{a.b}", 'x{"k": 1}', "${HOME}", "pre{nope}"]
    assert filled(words, launch({"lr": 0.1})) == words


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(ExecutorError, match=r"'lrr': did you mean 'lr'\?"):
        filled(["train", "--lr", "{lrr}"], launch({"lr": 0.1}))


def test_a_name_that_belongs_to_another_option_is_explained() -> None:
    with pytest.raises(ExecutorError, match="belongs to another option"):
        filled(["train", "{momentum}"], launch({"opt": "adam"}))


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExecutorError, match="no program 'pyhton': not on PATH"):
        check_program("pyhton", tmp_path)
    with pytest.raises(ExecutorError, match="no such file"):
        check_program("./train.sh", tmp_path)
    (tmp_path / "train.sh").touch()
    with pytest.raises(ExecutorError, match=r"chmod \+x"):
        check_program("./train.sh", tmp_path)


def test_nothing_is_null_to_hydra() -> None:
    assert ["opt=null"] == arguments({"opt": None}, "args:hydra")
