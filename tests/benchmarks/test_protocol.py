from __future__ import annotations

import io
import json
import math
import sys
from typing import Any

import pytest

import danlu
from benchmarks.protocol import (
    Run,
    _curve,
    answers,
    domains,
    ended_study,
    main,
    scheduler_in,
    study,
)
from danlu import Choice, Float, Int, State
from danlu.auto import AutoScheduler
from danlu.recipes import sampler

SPACE: list[dict[str, Any]] = [
    {"name": "lr", "type": "float", "low": 1e-5, "high": 0.1, "log": True},
    {"name": "booster", "type": "cat", "choices": ["linear", "tree", "dart"]},
    {
        "name": "depth",
        "type": "int",
        "low": 1,
        "high": 15,
        "log": False,
        "cond": {"parent": "booster", "in": ["tree", "dart"]},
    },
]
INIT = {"space": SPACE, "seed": 3, "max_trials": 8, "direction": "minimize"}


def said(
    *messages: dict[str, Any], name: str = "quasi_random", scheduler: str = "full"
) -> list[Any]:
    return list(answers(map(json.dumps, messages), sampler(name), scheduler))


def test_an_entry_with_a_condition_stands_in_the_branch_of_each_option() -> None:
    depth = Int(1, 15)

    assert {
        "lr": Float(1e-5, 0.1, log=True),
        "booster": Choice(
            {"linear": {}, "tree": {"depth": depth}, "dart": {"depth": depth}}
        ),
    } == domains(SPACE)


def test_a_run_is_asked_and_told_line_by_line() -> None:
    tell = {"tell": {"id": 0, "value": 0.5, "cost": 1.0, "curve": None}}

    ready, asked, told = said({"init": INIT}, {"ask": {}}, tell, {"stop": {}})

    assert ready == told == {"ok": True}
    assert 0 == asked["id"]
    assert asked["config"] in study(INIT, "random").search_space


def test_trials_are_asked_for_while_others_run() -> None:
    asks: list[dict[str, Any]] = [{"ask": {}}] * 3
    tell = {"tell": {"id": 1, "value": 0.5}}

    _, *asked = said({"init": INIT}, *asks, tell, {"ask": {}})

    assert [0, 1, 2, None, 3] == [answer.get("id") for answer in asked]


def test_the_points_are_those_of_the_flow() -> None:
    asked = [
        answer["config"] for answer in said({"init": INIT}, *[{"ask": {}}] * 4)[1:]
    ]

    with danlu.open(":memory:") as project:
        statement = study(INIT, "quasi_random")
        expected = [project.ask(statement).params for _ in range(4)]  # type: ignore[union-attr]

    assert expected == asked


def test_a_new_init_begins_anew() -> None:
    first, again = (said({"init": INIT}, {"ask": {}}, name="random") for _ in range(2))
    both = said({"init": INIT}, {"ask": {}}, {"init": INIT}, {"ask": {}}, name="random")

    assert [*first, *again] == both


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_without_a_finite_value_a_trial_is_infeasible(value: float) -> None:
    run = Run(study(INIT, "random"))
    run.ask()

    run.tell(0, {1: value})

    assert State.INFEASIBLE is run.history().trials[0].state


def test_what_was_told_is_what_the_sampler_sees() -> None:
    run = Run(study(INIT, "random"))
    for value in (0.5, 0.25):
        run.tell(run.ask().number, {1: value})
    run.ask()

    _, losses = run.history().observed()

    assert ([0.5, 0.25], 1) == (losses.tolist(), len(run.history().pending()))


def test_a_message_out_of_turn_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="'ask' came before any init"):
        said({"ask": {}})
    with pytest.raises(RuntimeError, match="no verb 'sing': init, ask, tell or stop"):
        said({"init": INIT}, {"sing": {}})


def test_a_trial_is_trained_epoch_by_epoch() -> None:
    init = {"init": {**INIT, "max_fidelity": 3}}
    tells: list[dict[str, Any]] = [
        {"tell": {"id": 0, "fidelity": epoch, "value": 0.5, "curve": [[epoch, 0.5]]}}
        for epoch in (1, 2, 3)
    ]
    one, two, three = tells
    ask: dict[str, Any] = {"ask": {}}

    answered = said(init, ask, one, ask, two, ask, three, ask, scheduler="median")

    asked = [(a["id"], a["fidelity"]) for a in answered if "id" in a]
    assert [(0, 1), (0, 2), (0, 3), (1, 1)] == asked


def test_the_scheduler_ends_a_trial() -> None:
    run = Run(study({**INIT, "max_fidelity": 9}, "random", "median"))
    for number in range(5):
        run.ask()
        run.tell(number, dict.fromkeys(range(1, 10), 0.1))
    run.ask()

    run.tell(5, {1: 0.9})

    assert State.STOPPED is run.history().trials[5].state
    assert 6 == run.ask().number


def test_a_value_that_is_missing_is_no_number() -> None:
    tell = {"tell": {"id": 0, "fidelity": 1, "value": None, "curve": None}}

    *_, told, asked = said({"init": INIT}, {"ask": {}}, tell, {"ask": {}})

    assert ({"ok": True}, 1) == (told, asked["id"])


@pytest.mark.parametrize(
    ("mode", "name", "expected"),
    [
        ("full", None, "full"),
        ("full", "auto", "auto"),
        ("mf", None, AutoScheduler(checkpoints=True)),
        ("mf", "auto", AutoScheduler(checkpoints=True)),
        ("mf", "hyperband", "hyperband"),
    ],
)
def test_trials_may_go_on_where_there_are_epochs(
    mode: str, name: str | None, expected: object
) -> None:
    assert expected == scheduler_in(mode, name)


def test_with_epochs_a_trial_is_paused_at_a_rung_and_called_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [{"init": {**INIT, "max_fidelity": 9}}]
    for number, loss in enumerate((0.3, 0.1, 0.2)):
        lines += [{"ask": {}}, {"tell": {"id": number, "fidelity": 1, "value": loss}}]
    lines.append({"ask": {}})
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(map(json.dumps, lines))))

    main(["--mode", "mf"])

    answered = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    asked = [(one["id"], one["fidelity"]) for one in answered if "id" in one]
    assert [(0, 1), (1, 1), (2, 1), (1, 2)] == asked


def test_a_trial_that_nothing_may_end_is_asked_for_once() -> None:
    init = {"init": {**INIT, "max_fidelity": 3}}

    _, asked = said(init, {"ask": {}})

    assert 3 == asked["fidelity"]


@pytest.mark.parametrize(
    "condition",
    [
        {"parent": "lr", "in": [1]},
        {"parent": "boster", "in": ["tree"]},
        {"parent": "booster", "in": ["trees"]},
        {"parent": "booster", "in": []},
    ],
)
def test_an_entry_that_would_never_be_active_is_an_error(
    condition: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match="depth is active where"):
        domains([*SPACE[:2], {**SPACE[2], "cond": condition}])


def test_a_value_that_is_null_is_infeasible_whatever_the_curve_says() -> None:
    run = Run(study({**INIT, "max_fidelity": 3}, "random", "median"))
    trial = run.ask()

    run.tell(trial.number, _curve({"fidelity": 1, "value": None, "curve": [[1, 0.5]]}))

    assert State.INFEASIBLE is run.history().trials[0].state


def test_a_larger_value_may_be_better() -> None:
    run = Run(study({**INIT, "direction": "maximize"}, "random"))
    for value in (0.1, 0.9):
        run.tell(run.ask().number, {1: value})

    best = run.history().best
    assert best is not None
    assert 1 == best.number
    with pytest.raises(ValueError, match="got 'up'"):
        study({**INIT, "direction": "up"}, "random")


def test_an_earlier_study_may_have_infeasible_trials() -> None:
    earlier = ended_study(
        {"space": SPACE[:1], "trials": [[{"lr": 0.1}, None], [{"lr": 0.01}, 0.3]]}
    )

    assert [True, False] == [math.isnan(loss) for loss in earlier.observed()[1]]


def test_trials_end_in_the_order_in_which_they_are_told() -> None:
    run = Run(study(INIT, "random"))
    for number in [run.ask().number for _ in range(3)][::-1]:
        run.tell(number, {1: 0.5})

    assert [2, 1, 0] == [trial.number for trial in run.history().ended()]
