"""The schedule of the best trial, in every face of the report."""

from __future__ import annotations

from danlu.analysis.schedule import Stretch
from danlu.analysis.summary import Summary, summarize
from danlu.domain import Choice, Domain, Float
from danlu.history import History
from danlu.report import html, text
from danlu.report.document import summary_to_json
from danlu.report.schedule import changing, schedule_rows
from danlu.study import Study
from danlu.trial import Curve, State, Trial


def example(second: float = 0.001) -> Summary:
    space: dict[str, Domain] = {
        "lr": Float(1e-4, 1.0, log=True),
        "loss": Choice(["l1", "l2"]),
    }
    study = Study("s", "Which schedule?", "error", space, trials=2, max_steps=20)
    first = Trial(
        0,
        {"lr": 0.1, "loss": "l1"},
        State.STOPPED,
        curves={"error": Curve.of({5: 0.5, 10: 0.4})},
    )
    child = Trial(
        1,
        {"lr": second, "loss": "l1"},
        State.COMPLETED,
        parent=0,
        first_step=10,
        curves={"error": Curve.of({20: 0.1})},
    )
    history = History(study.search_space, study.objective, [first, child])
    return summarize(study, history)


def test_the_terminal_shows_the_schedule_of_the_best() -> None:
    said = text(example())

    assert "Schedule of trial #1" in said
    assert "  1 to 10      #0    0.1" in said
    assert "  11 to 20     #1  0.001" in said
    assert "lr  ██████████▁▁▁▁▁▁▁▁▁▁  0.1 to 0.001" in said


def test_the_page_draws_it() -> None:
    page = html(example())

    assert "Schedule of trial #1" in page
    assert 'aria-label="lr over the steps of trial 1"' in page
    assert "<td>11 to 20</td><td>#1</td><td>0.001</td>" in page


def test_the_document_has_it() -> None:
    found = summary_to_json(example())["schedule"]

    assert found[1] == {
        "from_step": 10,
        "to_step": 20,
        "trial": 1,
        "params": {"lr": 0.001, "loss": "l1"},
    }


def test_a_trial_that_began_at_step_0_has_no_schedule() -> None:
    summary = example()
    first_is_best = summarize(
        summary.study,
        History(summary.study.search_space, summary.metric, summary.rest[:1]),
    )

    assert first_is_best.schedule == ()
    assert "Schedule" not in text(first_is_best)
    assert "Schedule" not in html(first_is_best)


def test_params_that_are_no_numbers_are_in_the_table_alone() -> None:
    schedule = [Stretch(0, 5, 0, {"opt": "sgd"}), Stretch(5, 9, 1, {"opt": "adam"})]

    assert changing(schedule) == {"opt": None}
    assert schedule_rows(schedule)[2] == ["6 to 9", "#1", "adam"]


def test_a_schedule_of_a_billion_steps_is_drawn_at_once() -> None:
    schedule = [Stretch(0, 10**8, 0, {"lr": 0.1}), Stretch(10**8, 10**9, 1, {"lr": 1})]

    curve = changing(schedule)["lr"]

    assert curve is not None
    assert (curve.values[0], curve.last, len(curve)) == (0.1, 1.0, 240)
