from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import danlu
from danlu import State
from danlu.errors import StudyError
from danlu.executors import Recording, Simulated
from danlu.replay import replay, replayable
from danlu.trial import Curve, Trial
from tests.studies import bowl

STUDY = bowl(trials=9, max_steps=9)


def trained(losses: Mapping[int, float], *, full: int = 9) -> danlu.History:
    """The history of nine trials, each of one loss throughout, ten seconds a step."""

    def find(trial: Trial) -> Recording:
        loss = losses[trial.number]
        return Recording.of("loss", dict.fromkeys(range(1, full + 1), loss), 10.0)

    with danlu.open(":memory:") as project:
        return project.run(STUDY, Simulated(find))


def timed(history: danlu.History) -> danlu.History:
    trials = [replace(own, started_s=0.0, ended_s=90.0) for own in history.trials]
    return replace(history, trials=tuple(trials))


@pytest.fixture(scope="module")
def history() -> danlu.History:
    return timed(trained({n: abs(n - 6) for n in range(9)}))


def test_training_all_to_the_end_is_what_was_recorded(history: danlu.History) -> None:
    found = replay(STUDY, history, "full")

    assert (81, 810.0, 9) == (found.steps, found.seconds, found.trained)
    assert (6, 0.0) == (found.best, found.loss)


def test_halving_finds_the_same_trial_in_a_third_of_the_steps(
    history: danlu.History,
) -> None:
    found = replay(STUDY, history, "successive_halving")

    assert (9 + 3 * 2 + 6, 1) == (found.steps, found.trained)
    assert (6, 210.0) == (found.best, found.seconds)


def test_slots_save_time_and_no_steps(history: danlu.History) -> None:
    found = replay(STUDY, history, "full", slots=3)

    assert (81, 270.0) == (found.steps, found.seconds)


def test_a_trial_that_diverged_does_so_again() -> None:
    with_nan = trained({n: math.nan if n < 8 else 1.0 for n in range(9)})

    found = replay(STUDY, with_nan, "asha")

    assert (8, 1.0) == (found.best, found.loss)


def test_what_is_not_known_to_the_end_takes_no_part(history: danlu.History) -> None:
    stopped, *others = history.trials
    known = replace(history, trials=(replace(stopped, state=State.STOPPED), *others))

    assert list(range(1, 9)) == [own.number for own in replayable(STUDY, known)]
    with pytest.raises(StudyError, match="no trial that was trained to its end"):
        replay(STUDY, replace(history, trials=()), "asha")


def test_nothing_is_written(
    history: danlu.History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    replay(STUDY, history, "asha")

    assert [] == list(tmp_path.iterdir())


def test_what_a_person_called_infeasible_is_no_winner() -> None:
    space = {"x": danlu.Float(0, 1)}
    study = danlu.Study("s", "Which?", "loss", space, 3, max_steps=2)
    trials = [
        Trial(
            number,
            {"x": 0.1 * number},
            State.INFEASIBLE if number == 2 else State.COMPLETED,
            reason="too large for the phone" if number == 2 else "",
            index=number,
            budget=2,
            curves={"loss": Curve.of({1: 0.9, 2: loss})},
        )
        for number, loss in enumerate((0.8, 0.85, 0.1))
    ]
    history = danlu.History(study.search_space, study.objective, trials)

    assert 0 == replay(study, history, "full").best
