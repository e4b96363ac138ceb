from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from danlu.domain import Choice, Float
from danlu.history import History
from danlu.ledger import MOST_KEPT, Ledger
from danlu.metric import Metric
from danlu.space import SearchSpace
from danlu.trial import Curve, State, Trial

SPACE = SearchSpace({"x": Float(0, 1), "c": Choice({"a": {}, "b": {"y": Float(0, 1)}})})
LOSS = Metric("loss")


def trial(number: int, x: float = 0.5, **fields: object) -> Trial:
    return replace(Trial(number, {"x": x, "c": "a"}), **fields)  # type: ignore[arg-type]


def numbers(trials: object) -> list[int]:
    return [each.number for each in trials]  # type: ignore[attr-defined]


def seed(trial: Trial) -> list[float]:
    return [trial.seed]


def useful_seed(trial: Trial) -> float | None:
    return trial.seed or None


@st.composite
def news(draw: st.DrawFn) -> list[Trial]:
    """Trials as they become known, some of them several times."""
    places = st.sampled_from([0.0, 0.25, 7.0])  # the last is outside the space
    curves = st.dictionaries(st.integers(0, 4), st.floats(), max_size=3)
    each = st.tuples(st.integers(0, 7), places, st.sampled_from(State), curves)
    return [
        trial(number, x, state=state, curves={"loss": Curve.of(points)})
        for number, x, state, points in draw(st.lists(each, max_size=20))
    ]


def questions(history: History) -> list[object]:
    """What a sampler may ask, as plain values; nan is text, equal to itself."""
    arrays = [*history.observed(), *history.observed(at=2), history.pending()]
    ranks = [numbers(history.ranked()), numbers(history.ranked(at=2))]
    return [*(str(array.tolist()) for array in arrays), *ranks, history.best]


def test_trials_are_in_order_of_number_in_whatever_order_they_came() -> None:
    ledger = Ledger()
    for number in (3, 0, 2):
        ledger.keep(trial(number))

    assert [0, 2, 3] == numbers(ledger)
    assert (3, ledger[1]) == (len(ledger), ledger.find(2))
    assert ledger.find(1) is None


def test_a_column_follows_its_trials() -> None:
    ledger = Ledger([trial(1, seed=1)])
    ledger.column("seed", seed, width=1)
    ledger.keep(trial(3, seed=3))
    ledger.keep(trial(0, seed=7))
    ledger.keep(trial(1, seed=5))

    assert [[7], [5], [3]] == ledger.column("seed", seed, width=1).tolist()


def test_a_row_is_worked_out_once_while_what_it_reads_is_the_same() -> None:
    seen = []

    def place(trial: Trial) -> list[float]:
        seen.append(trial.number)
        return [trial.params["x"]]  # type: ignore[list-item]

    ledger = Ledger([trial(0), trial(1)])
    for state in State:
        ledger.column("x", place, width=1, reads=lambda trial: trial.params)
        ledger.keep(trial(0, state=state))
    ledger.keep(trial(1, x=0.75))

    rows = ledger.column("x", place, width=1, reads=lambda trial: trial.params)

    assert [[0.5], [0.75]] == rows.tolist()
    assert [0, 1, 1] == seen


def test_a_ranking_follows_its_trials() -> None:
    ledger = Ledger([trial(0, seed=5), trial(1, seed=0), trial(2, seed=9)])
    assert [0, 2] == numbers(ledger.ranking("seed", useful_seed))

    ledger.keep(trial(1, seed=5))
    ledger.keep(trial(2, seed=1))
    ledger.keep(trial(0, seed=0))

    assert [2, 1] == numbers(ledger.ranking("seed", useful_seed))


def test_a_ranking_has_the_newest_of_each_trial() -> None:
    ledger = Ledger([trial(0, seed=5)])
    ledger.ranking("seed", useful_seed)
    paused = trial(0, seed=5, state=State.PAUSED)
    ledger.keep(paused)

    assert ledger.ranking("seed", useful_seed)[0] is paused


def test_groups_follow_their_trials() -> None:
    ledger = Ledger([trial(0, seed=5), trial(1, seed=0), trial(2, seed=5)])
    assert {5: {0, 2}} == {key: set(own) for key, own in ledger.groups(group).items()}

    ledger.keep(trial(1, seed=5))
    ledger.keep(trial(2, seed=7))
    ledger.keep(trial(0, seed=0))

    assert {5: {1}, 7: {2}} == {
        key: set(own) for key, own in ledger.groups(group).items()
    }


def test_a_group_has_the_newest_of_each_trial() -> None:
    ledger = Ledger([trial(0, seed=5)])
    ledger.groups(group)
    paused = trial(0, seed=5, state=State.PAUSED)
    ledger.keep(paused)

    assert ledger.groups(group)[5][0] is paused


def group(trial: Trial) -> int | None:
    """The seed, None for 0."""
    return trial.seed or None


def test_what_was_asked_for_longest_ago_is_worked_out_anew() -> None:
    ledger = Ledger([trial(0, seed=5)])
    for key in range(2 * MOST_KEPT):
        ledger.column(key, seed, width=1)
    ledger.keep(trial(0, seed=6))

    assert [[6]] == ledger.column(0, seed, width=1).tolist()
    assert [[6]] == ledger.column(2 * MOST_KEPT - 1, seed, width=1).tolist()


@given(news(), st.integers(0, 20))
def test_a_ledger_answers_as_a_history_made_by_hand(
    known: list[Trial], asked: int
) -> None:
    ledger = Ledger()
    for count, each in enumerate(known):
        if count == asked:
            questions(History(SPACE, LOSS, ledger))
        ledger.keep(each)

    by_hand = History(SPACE, LOSS, tuple(ledger))

    assert questions(by_hand) == questions(History(SPACE, LOSS, ledger))


def test_a_ledger_serves_several_spaces_and_metrics() -> None:
    both = {"loss": Curve.of({1: 2.0}), "error": Curve.of({1: 3.0})}
    ledger = Ledger([trial(0, x=0.5, state=State.COMPLETED, curves=both)])
    History(SPACE, LOSS, ledger).observed()
    halved = SearchSpace({"x": Float(0, 0.5), "c": Choice(["a", "b"])})

    X, y = History(halved, Metric("error"), ledger).observed()

    assert ([[1.0, 0.25]], [3.0]) == (X.tolist(), y.tolist())


def test_arrays_are_the_readers_own() -> None:
    ledger = Ledger(
        [trial(0, state=State.COMPLETED, curves={"loss": Curve.of({1: 2})})]
    )
    X, y = History(SPACE, LOSS, ledger).observed()
    X[:], y[:] = 9, 9

    X, y = History(SPACE, LOSS, ledger).observed()

    assert ([0.5, 0.25], [2.0]) == (X[0, :2].tolist(), y.tolist())


def test_a_history_goes_to_another_process_with_its_ledger() -> None:
    curves = {"loss": Curve.of({1: 2.0})}
    history = History(SPACE, LOSS, Ledger([trial(0, curves=curves)]))
    before = questions(history)

    again = pickle.loads(pickle.dumps(history))

    assert before == questions(again)
    assert np.array_equal(history.pending(), again.pending(), equal_nan=True)
