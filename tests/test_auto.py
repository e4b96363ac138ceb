"""The default sampler: which method it takes, and what it says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

import danlu
from danlu import Trial
from danlu.analysis.summary import summarize
from danlu.ask import sampler_of
from danlu.auto import MOST_FOR_GP, Auto, AutoScheduler
from danlu.recipes import name_of
from danlu.report.terminal import text
from danlu.samplers import GP, TPE, QuasiRandom
from danlu.schedulers import Asha, AshaStop, Full
from danlu.space import Params
from danlu.testing import check_sampler, check_scheduler
from danlu.trial import State

OPTIMIZER = danlu.Choice({"adam": {"beta": danlu.Float(0, 1)}, "sgd": {}})


def _history(trials: Sequence[Trial]) -> danlu.History:
    space = danlu.SearchSpace({"x": danlu.Float(0, 1), "optimizer": OPTIMIZER})
    return danlu.History(space, danlu.Metric("loss"), trials, position=len(trials))


def _trial(number: int, state: State = State.COMPLETED) -> Trial:
    x = (number * 0.381966) % 1.0
    curve = danlu.Curve.of({1: (x - 0.3) ** 2})
    params: Params = {"x": x, "optimizer": "sgd"}
    return Trial(number, params, state, curves={"loss": curve})


def _study(**own: object) -> danlu.Study:
    statement = {
        "name": "s",
        "goal": "Which is best?",
        "metric": "loss",
        "space": {"x": danlu.Float(0, 1), "optimizer": OPTIMIZER},
        "trials": 20,
    }
    return danlu.Study(**{**statement, **own})  # type: ignore[arg-type]


def test_it_holds_the_contract() -> None:
    check_sampler(Auto())
    check_sampler(Auto(explores=True))


def test_a_study_that_compares_gets_quasi_random_points() -> None:
    auto = sampler_of(_study(scientific=["optimizer"]))
    history = _history([_trial(n) for n in range(12)])

    asked = auto.ask(history, np.random.default_rng(0))
    plain = QuasiRandom().ask(history, np.random.default_rng(0))

    assert asked is not None
    assert asked.params == plain.params
    assert asked.note["why"].startswith("quasi-random, to compare fairly: ")


def test_any_other_study_gets_a_gaussian_process() -> None:
    auto = sampler_of(_study())
    history = _history([_trial(n) for n in range(12)])

    asked = auto.ask(history, np.random.default_rng(0))

    assert asked is not None
    assert asked.params == GP().ask(history, np.random.default_rng(0)).params


@pytest.mark.parametrize(("count", "expected"), [(3, GP), (MOST_FOR_GP, TPE)])
def test_a_long_study_goes_on_with_tpe(count: int, expected: type) -> None:
    history = _history([_trial(n) for n in range(count)])

    sampler, _ = Auto().choice(history)

    assert type(sampler) is expected


def test_the_reason_names_what_the_choice_rests_on() -> None:
    trials = [_trial(0), _trial(1), _trial(2, State.RUNNING)]

    asked = Auto().ask(_history(trials), np.random.default_rng(0))

    assert asked is not None
    assert asked.note["why"] == (
        "Gaussian process: 3 dimensions, 1 of them conditional, 2 trials, 2 at a time"
    )


def test_the_reason_is_with_the_trial_and_in_the_report() -> None:
    with danlu.open(":memory:") as project:
        study = project.plan(_study(trials=2))
        trial = project.ask(study)
        assert trial is not None
        why = "Gaussian process: 3 dimensions, 1 of them conditional, 0 trials"
        assert trial.sampler_note["why"] == why
        summary = summarize(study, project.history(study))
        assert why in " ".join(text(summary).split())


@pytest.mark.parametrize(
    ("max_steps", "checkpoints", "expected"),
    [
        (None, True, Full),
        (8, True, Full),
        (9, True, Asha),
        (9, False, AshaStop),
    ],
)
def test_the_scheduler_rests_on_the_length_and_on_checkpoints(
    max_steps: int | None, checkpoints: bool, expected: type
) -> None:
    history = replace(_history([]), max_steps=max_steps)

    scheduler, why = AutoScheduler(checkpoints).choice(history)

    assert type(scheduler) is expected
    assert why.startswith(name_of(scheduler) + ": ")


def test_the_scheduler_that_chooses_holds_the_contract() -> None:
    check_scheduler(AutoScheduler())
    check_scheduler(AutoScheduler(checkpoints=True))


def test_the_scheduler_that_chooses_has_the_rungs_of_its_choice() -> None:
    history = replace(_history([]), max_steps=9)

    assert AutoScheduler().rungs(history) == (1, 3, 9)
