"""What a trial must keep to is shown beside the metric; so is how the best one does."""

from __future__ import annotations

import pytest

from danlu.analysis.summary import Summary, summarize
from danlu.domain import Float
from danlu.history import History
from danlu.report import html, text
from danlu.report.document import summary_to_json
from danlu.study import Study
from danlu.trial import Curve, State, Trial


def limited(*trials: Trial) -> Summary:
    study = Study(
        "s", "How good within 20 ms?", "loss", {"x": Float(0, 1)}, 2,
        constraints=["ms <= 20"], learn_from=["first"],
    )  # fmt: skip
    history = History(study.search_space, study.objective, trials)
    return summarize(study, history)


GOOD = Trial(
    0,
    {"x": 0.5},
    State.COMPLETED,
    curves={"loss": Curve.of({1: 0.3, 2: 0.4}), "ms": Curve.of({1: 12, 2: 13})},
)
SLOW = Trial(1, {"x": 0.9}, State.INFEASIBLE, reason="ms 31 > 20")


@pytest.mark.parametrize("face", [text, html])
def test_a_report_shows_the_limit_the_best_and_who_broke_it(face: object) -> None:
    said = " ".join(face(limited(GOOD, SLOW)).split())  # type: ignore[operator]

    for words in ("lower is better, with ms ", "at step 1, ms 12", "ms 31 "):
        assert words in said
    assert "learned from first" in said


def test_all_beyond_the_limit_is_said_in_words() -> None:
    assert "or broke a constraint" in " ".join(text(limited(SLOW)).split())


def test_a_document_states_constraints_and_teachers() -> None:
    document = summary_to_json(limited(GOOD))

    assert ["ms <= 20"] == document["constraints"]
    assert ["first"] == document["learn_from"]
