from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import danlu
from danlu import Choice, Curve, Float, History, Metric, Ruling, State, Study, Trial
from danlu.cli.run import run
from danlu.cli.stated import stated
from danlu.decide.decision import Decision, NextStudy, Runs
from danlu.domain import Domain
from danlu.log import command, csv_text, entry, markdown
from danlu.studyfile import Program

STUDY = Study("rates", "Which rate?", "acc", {"lr": Float(0, 1)}, trials=3)


def history(metric: Metric) -> History:
    """Two trials of the same params and one of others, and a confirming run."""
    return History(STUDY.search_space, metric, tuple(_trials()))


def _trials() -> Iterator[Trial]:
    kinds = [danlu.Kind.SEARCH] * 3 + [danlu.Kind.CONFIRM]
    for number, (lr, value) in enumerate(
        [(0.5, 0.6), (0.5, 0.8), (0.25, 0.5), (0.5, 0.9)]
    ):
        curves = {"acc": Curve.of({1: value})}
        yield Trial(
            number,
            {"lr": lr},
            State.COMPLETED,
            kinds[number],
            seed=number,
            curves=curves,
            started_s=1000.0 + number,
        )


def test_a_row_has_the_best_search_trial_and_the_noise_between_seeds() -> None:
    study = Study(
        "s", "Which?", Metric("acc", maximize=True), {"lr": Float(0, 1)}, trials=3
    )

    own = entry(study, history(study.objective))

    assert (own.best, own.ended, own.trials, own.began_s) == (0.8, 3, 3, 1000.0)
    assert own.noise == pytest.approx(0.1528, abs=1e-4)  # of 0.6, 0.8 and 0.9
    assert "not decided yet" in own.cells


def test_what_was_confirmed_stands_for_the_study() -> None:
    runs = Runs({"lr": 0.5}, (0,), (3,), 5, mean=0.7, spread=0.02, infeasible=0)
    decision = Decision(
        "rates",
        Ruling.ADOPT,
        "better by 0.1",
        candidate=runs,
        next_studies=(NextStudy("rates-2", "The best is at an edge."),),
    )

    own = entry(STUDY, history(STUDY.objective), decisions=[decision])

    assert own.best_text == "acc 0.7 (sd 0.02)"
    assert own.conclusion == "adopt: better by 0.1"
    assert own.next == "rates-2: The best is at an edge."


def test_a_study_without_a_result_has_a_row() -> None:
    own = entry(STUDY, History(STUDY.search_space, STUDY.objective))

    assert (own.best_text, own.began_s, own.noise) == ("none yet", None, None)
    assert len(markdown([own]).splitlines()) == 3
    assert csv_text([own]).splitlines()[1].startswith("rates,,Which rate?,")


def test_what_the_command_would_train_anew_is_said() -> None:
    carried = "carried over from trial {} of 'wide'"
    trials = [
        Trial(n, {"lr": 0.5}, State.COMPLETED, reason=carried.format(n + 7))
        for n in range(2)
    ]
    known = History(STUDY.search_space, STUDY.objective, trials)

    own = entry(STUDY, known, notes=["cold start"])

    assert own.notes == (
        "2 trials of 'wide' taken over: the command trains anew",
        "cold start",
    )


def test_a_function_is_named_in_the_command() -> None:
    said = command(STUDY, Program(function="train.py:train"))

    assert said.startswith("danlu run train.py:train -p lr=")


def stated_by(line: str) -> Study:
    """The study that a line states, typed where there is no study file."""
    ctx = run.make_context("run", shlex.split(line)[2:])
    return stated(ctx.params["target"], ctx.obj, ctx.params).study


@pytest.mark.parametrize(
    "space",
    [
        {"lr": Float(0, 1), "opt": Choice(["sgd", "adam", True, None, 2.5])},
        {"n": Choice([8, 16], branches={8: {"u": Float(0, 1)}})},
        {"n": Choice([2.5, 1e-5], branches={1e-5: {"u": Float(0, 1)}})},
        {"n": Choice([True, False, None], branches={True: {"u": Float(0, 1)}})},
        {"n": Choice(["8", "true"], branches={"8": {"u": Choice(["no"])}})},
        {"n": Choice([8, 16], branches={8: {"u": Float(0, 1)}}), "lr": Float(0, 1)},
        {"model.width": Choice([8]), "a=b": Float(0, 1)},
        {"opt": Choice(["sgd", "adam"], belief=danlu.Belief("adam", 0.9))},
    ],
)
def test_the_command_states_the_same_study(
    space: dict[str, Domain], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = Study("s", "Which?", "err", space, trials=3)

    again = stated_by(command(study, Program(command=("train",))))

    assert study == again
    assert repr(study) == repr(again)  # 1 == True, and one dict any other order of it


def test_the_space_may_be_said_by_set_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    line = "danlu run --set space.x=0.0..1.0 --set metric=err -n 3 -- train"

    assert stated_by(line).search_space.domains == {"x": Float(0, 1)}


def test_a_table_stays_a_table_whatever_the_notes_say() -> None:
    own = entry(STUDY, history(STUDY.objective), notes=["a | b\nc", "d"])

    row = markdown([own]).splitlines()[2]

    assert "a \\| b c / d" in row
    assert len(markdown([own]).splitlines()) == 3
