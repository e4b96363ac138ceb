from __future__ import annotations

from pathlib import Path

import pytest

import danlu as library
from danlu.analysis import checks
from danlu.analysis.base import Finding, Level
from danlu.history import History
from danlu.study import Study

from .conftest import Danlu


def edge(study: Study, history: History) -> tuple[Finding, ...]:
    """A check that finds every space too small."""
    high = study.search_space.domains["x"].high + 1.0  # type: ignore[union-attr]
    change = {"space": {"x": {"high": high}}}
    message = "The best is at the edge of x."
    return (
        Finding("boundary", Level.WARNING, message, "Move it.", {"change": change}),
    )


@pytest.fixture(autouse=True)
def _one_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CHECKS", {"boundary": edge})


def test_next_says_what_why_and_at_which_cost(danlu: Danlu, done: Path) -> None:
    said = danlu("next")
    assert said.code == 0
    assert said.out.startswith("1. bowl-2  Is loss better with another range of x?\n")
    assert "why     The best is at the edge of x." in said.out
    assert "x -2..3 (was -2..2)" in said.out
    assert "in one slot; 3 earlier trials taken over" in said.out
    assert said.err == "run one: danlu next bowl --run 1\n"


def test_next_json_holds_the_study_as_it_would_be_run(danlu: Danlu, done: Path) -> None:
    said = danlu("next", "--json").json
    assert (said["schema"], said["study"]) == ("danlu/next@1", "bowl")
    assert said["next"][0]["study"]["space"] == {"x": {"float": [-2.0, 3.0]}}
    assert said["next"][0]["checks"] == ["boundary"]


def test_next_run_runs_it_as_the_study_was_run(danlu: Danlu, done: Path) -> None:
    with library.open(done / ".danlu" / "danlu.db") as project:
        first = project.history("bowl").trials
    said = danlu("next", "--run", 1, "-q")
    assert said.code == 0
    assert said.out.startswith("bowl-2: 5/5 trials")
    with library.open(done / ".danlu" / "danlu.db") as project:
        ran = project.study("bowl-2")
        again = project.history("bowl-2").trials
    assert [own.params for own in again][:3] == [own.params for own in first]
    assert ran.note.startswith("After bowl: The best is at the edge of x.")


def test_what_was_run_is_not_proposed_a_second_time(danlu: Danlu, done: Path) -> None:
    danlu("next", "bowl", "--run", 1, "-q")
    said = danlu("next", "bowl", "--run", 1)
    assert said.code == 2
    assert "no study is worth running next" in said.err


def test_next_write_writes_a_study_file_that_runs(danlu: Danlu, done: Path) -> None:
    assert danlu("next", "--write", "next.yaml").out == "wrote next.yaml\n"
    assert danlu("next", "--write", "next.yaml").code == 2
    assert danlu("run", "next.yaml", "-q").out.startswith("bowl-2: 5/5 trials")


def test_a_place_that_is_not_in_the_list_is_an_error(danlu: Danlu, done: Path) -> None:
    said = danlu("next", "--run", 2)
    assert said.code == 2
    assert "no study at place 2: there is 1 study to choose from" in said.err
