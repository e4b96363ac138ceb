from __future__ import annotations

import time

import pytest

from danlu.cli.curves import BestAtStep, compared
from danlu.cli.progress import Ended, Lines, Screen, ended_line, head_line, running_line
from danlu.cli.words import cut, table
from danlu.domain import Float
from danlu.history import History
from danlu.loop import Progress
from danlu.metric import Metric
from danlu.study import Study
from danlu.trial import Curve, State, Trial

METRIC = Metric("loss")
STUDY = Study("bowl", "Where?", METRIC, {"x": Float(0, 1)}, trials=4)


def trial(number: int, state: State, *losses: float, budget: int = 4) -> Trial:
    curve = Curve.of(dict(enumerate(losses, start=1)))
    ended_s = time.time() if state.ended else None
    return Trial(
        number,
        {"x": 0.5},
        state,
        budget=budget,
        curves={"loss": curve} if losses else {},
        started_s=time.time() - 1,
        ended_s=ended_s,
    )


def progress(*trials: Trial, messages: tuple[str, ...] = ()) -> Progress:
    running = tuple(t for t in trials if t.state is State.RUNNING)
    history = History(STUDY.search_space, METRIC, trials)
    began_s = time.time() - 10
    return Progress(STUDY, history, running, 2, began_s, False, messages)


def best_of(*trials: Trial) -> BestAtStep:
    best = BestAtStep()
    best.learn(History(STUDY.search_space, METRIC, trials))
    return best


def test_the_best_at_a_step_is_the_best_up_to_it() -> None:
    best = best_of(
        trial(0, State.COMPLETED, 0.9, 0.5, 0.7), trial(1, State.STOPPED, 0.8)
    )
    assert [best.at(step) for step in (0, 1, 2, 3, 9)] == [None, 0.8, 0.5, 0.5, 0.5]


def test_running_trials_do_not_count_as_the_best() -> None:
    assert best_of(trial(0, State.RUNNING, 0.1)).at(1) is None


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (0.55, "10% worse than the best at this step"),
        (0.4, "20% better than the best at this step"),
        (0.501, "level with the best at this step"),
        (50.0, "worse than the best at this step"),
    ],
)
def test_a_running_trial_is_compared_at_its_step(loss: float, expected: str) -> None:
    best = best_of(trial(0, State.COMPLETED, 0.9, 0.5, 0.1))
    now = progress(trial(1, State.RUNNING, 0.95, loss))
    assert compared(METRIC, now.running[0], best) == expected


def test_the_head_tells_how_far_and_how_long() -> None:
    now = progress(
        trial(0, State.COMPLETED, 1.0), trial(1, State.RUNNING, 1.0, 1.0, budget=4)
    )
    line = head_line(now, at_start=0)  # 1.5 of 4 trials in 10 s, so 17 s for 2.5
    assert line == "bowl  ######------------------  1/4  eta 17 s  1 running"


def test_before_anything_has_ended_there_is_no_time_left() -> None:
    now = progress(trial(0, State.RUNNING))
    assert "eta" not in head_line(now, at_start=0)


def test_a_running_trial_is_one_line() -> None:
    now = progress(trial(3, State.RUNNING, 0.9, 0.25))
    line = running_line(now, now.running[0], BestAtStep())
    assert line == " #3  step 2/4  loss 0.25"


def test_an_ended_trial_is_one_line() -> None:
    now = progress(trial(0, State.COMPLETED, 0.9, 0.25))
    line = ended_line(now, now.history.trials[0], verbose=True)
    expected = "[1/4]  #0 completed  step 2  loss 0.25  1.0 s  best 0.25 (#0)  x=0.5"
    assert line == expected


def test_each_ended_trial_is_told_once() -> None:
    ended = Ended()
    first = progress(trial(0, State.COMPLETED, 0.5), trial(1, State.RUNNING))
    second = progress(trial(0, State.COMPLETED, 0.5), trial(1, State.STOPPED))
    assert [t.number for t in ended.new(first)] == [0]
    assert [t.number for t in ended.new(second)] == [1]
    assert ended.new(second) == []


def test_lines_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Lines(verbose=False)(progress(trial(0, State.COMPLETED, 0.5), messages=("hello",)))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0] == "hello"


def test_the_screen_is_drawn_and_taken_away(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(verbose=False)
    screen(progress(trial(0, State.COMPLETED, 0.5), trial(1, State.RUNNING, 0.6)))
    screen.close()
    screen.close()
    said = capsys.readouterr().err
    assert "best #0  loss 0.5" in said
    assert said.count("\x1b[4F\x1b[J") == 1


def test_a_study_without_trials_has_a_screen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = Screen(verbose=False)
    screen(progress())
    assert "best none yet" in capsys.readouterr().err


def test_columns_of_a_table_stand_in_line() -> None:
    assert table(("a", "b"), [("xx", "1")]) == "a   b\nxx  1"


def test_a_long_line_is_cut() -> None:
    assert cut("abcdef", 4) == "abc…"
