"""What is compared and what matters, in every face of the report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from danlu.analysis.base import Finding, Level
from danlu.analysis.importance import Importance, Importances, Interaction
from danlu.analysis.isolation import Isolated, Isolation
from danlu.analysis.summary import Summary, summarize
from danlu.domain import Choice, Domain, Float, Int
from danlu.report import html, summary_to_json, text
from danlu.report.importance import remarks
from danlu.report.isolation import MOST_ROWS, isolation_rows, left_out, shown_rows
from tests.histories import searched

SPACE: dict[str, Domain] = {
    "act": Choice(["relu", "gelu"]),
    "lr": Float(0.0, 1.0),
    "noise": Float(0.0, 1.0),
}


def bowl(params: Mapping[str, Any]) -> float:
    return float((params["lr"] - 0.4) ** 2 + (params["act"] == "gelu"))


def made(
    loss: Callable[[Mapping[str, Any]], float] = bowl,
    space: Mapping[str, Domain] = SPACE,
    **fields: Any,
) -> Summary:
    return summarize(*searched(space, loss, **fields))


@pytest.fixture(scope="module")
def compared() -> Summary:
    return made(scientific=["act"])


def figure(page: str, words: str) -> str:
    """The first figure whose text alternative has the words."""
    drawn: list[str] = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    return next(own for own in drawn if words in own.split(">")[0])


def test_the_page_has_a_band_for_each_value_and_says_the_verdict(
    compared: Summary,
) -> None:
    page = html(compared)
    drawn = figure(page, "best loss of each value")
    assert drawn.count('<line x1="') - drawn.count('class="grid"') == 2
    assert drawn.count('class="band lead"') == 1  # relu alone may be the best
    assert ">relu</text>" in drawn
    assert "act=relu is best" in page


def test_a_band_has_its_numbers_in_its_text_alternative(compared: Summary) -> None:
    row = compared.isolations[0].rows[1]
    label = figure(html(compared), "best loss of each value").split(">")[0]
    assert row.best is not None
    assert f"gelu {row.best:.3g} (" in label
    assert "20 trials, worse" in label


def test_the_terminal_draws_the_bands_below_one_another(compared: Summary) -> None:
    said = text(compared)
    assert "act: expected best of 20 trials each" in said
    relu, gelu = isolation_rows(compared, compared.isolations[0], 24)
    assert relu[1].index("o") < gelu[1].index("o")
    assert len(relu[1]) == len(gelu[1])
    assert gelu[2].endswith("worse")
    assert not relu[2].endswith("worse")


def test_the_document_has_the_bands_and_the_shares(compared: Summary) -> None:
    document = json.loads(json.dumps(summary_to_json(compared), allow_nan=False))
    (own,) = document["isolations"]
    assert (own["paths"], own["effort"]) == (["act"], 20)
    assert [row["name"] for row in own["rows"]] == ["act=relu", "act=gelu"]
    assert document["importances"]["rows"][0]["path"] == "act"


def test_a_study_that_compares_nothing_draws_no_bands() -> None:
    summary = made()
    assert summary.isolations == ()
    assert "What is compared" not in html(summary)
    assert summary_to_json(summary)["isolations"] == []


def test_a_continuous_value_is_drawn_by_its_stretches() -> None:
    summary = made(scientific=["lr"])
    names = [row[0] for row in isolation_rows(summary, summary.isolations[0], 24)]
    assert names == ["0 to 0.25", "0.25 to 0.5", "0.5 to 0.75", "0.75 to 1"]
    assert ">0.25 to 0.5</text>" in html(summary)


def test_the_best_of_very_many_values_are_drawn_in_their_order() -> None:
    summary = made()
    rows = tuple(
        Isolated({"depth": k}, None, -float(k), -k - 0.5, -k + 0.5, 4)
        for k in range(MOST_ROWS + 3)
    )
    own = Isolation(("depth",), (*rows, replace(rows[0], best=None)), 4)
    assert shown_rows(summary, own) == list(rows[3:])
    assert left_out(summary, own) == (
        "3 worse ones are not drawn, 1 without a trial with a value."
    )


def test_each_hyperparameter_has_a_bar_with_its_interval(compared: Summary) -> None:
    drawn = figure(html(compared), "what loss depends on")
    kinds = re.findall(r'class="(share \w+|whisker unknown)"', drawn)
    assert kinds == ["share matters", "share matters", "share insensitive"]
    assert ">act</text>" in drawn
    assert "What loss depends on" in text(compared)


SHARES = Importances(
    rows=(
        Importance("lr", 0.5, 0.4, 0.6, 0.4, 40, "matters"),
        Importance("opt=sgd/momentum", 0.3, 0.1, 0.5, 0.2, 21, "matters"),
        Importance("width", 0.0, 0.0, 0.004, 0.0, 40, "insensitive"),
        Importance("depth", 0.1, 0.0, 0.9, 0.1, 40, "unknown"),
    ),
    interactions=(Interaction(("lr", "width"), 0.062, 0.001),),
    explained=0.8,
    trials=40,
)


@pytest.fixture(scope="module")
def shares() -> Summary:
    return replace(made(), importances=SHARES)


def test_shares_are_told_apart_by_what_is_known_of_them(shares: Summary) -> None:
    drawn = figure(html(shares), "what loss depends on")
    kinds = re.findall(r'class="(share \w+|whisker unknown)"', drawn)
    assert kinds == [
        "share matters",
        "share matters",
        "share insensitive",
        "whisker unknown",
    ]
    label = drawn.split(">")[0]
    assert "lr 50 % (40 to 60 %); " in label
    assert "opt=sgd/momentum 30 % (10 to 50 %), 21 trials; " in label
    assert "width under 1 %; depth not explored enough to say" in label


def test_conditional_ones_are_marked_and_explained(shares: Summary) -> None:
    for said in (html(shares), text(shares)):
        assert "opt=sgd/momentum *" in said
        assert "* conditional" in said
    always = replace(SHARES, rows=SHARES.rows[:1])
    assert "conditional" not in remarks(shares, always)


def test_interactions_are_said_in_words(shares: Summary) -> None:
    sentence = "lr and width interact (6 % of the variance): tune them together."
    assert sentence in html(shares)
    assert sentence in text(shares)


def test_bars_in_the_terminal_are_as_long_as_their_shares(shares: Summary) -> None:
    bars = {
        line.split()[0]: line.count("█")
        for line in text(shares).split("What loss depends on")[1].splitlines()
        if "█" in line and "%" in line
    }
    assert bars["lr"] > bars["opt=sgd/momentum"] > 0


def test_a_bound_that_the_best_crowd_is_marked_on_its_plot() -> None:
    evidence = {"path": "n", "edge": "high"}
    crowd = Finding("boundary", Level.WARNING, "At n's high end.", "", evidence)
    summary = made(lambda p: 1.0 - p["n"], {"n": Int(1, 64), "x": Float(0, 1)})
    marked = html(replace(summary, findings=(crowd,)))
    assert "the best trials crowd the high end" in marked
    assert "a bound that the best trials crowd" in marked
    plain = html(replace(summary, findings=()))
    assert "crowd" not in plain.split("<body>")[1]


def test_long_names_give_way_to_the_numbers_in_a_narrow_terminal() -> None:
    name = "a_hyperparameter_with_a_name_that_is_far_too_long"
    rows = (replace(SHARES.rows[0], path=name), *SHARES.rows[1:])
    summary = replace(made(), importances=replace(SHARES, rows=rows))
    (line,) = (own for own in text(summary, 60).splitlines() if "far_too_long" in own)
    assert line.strip().startswith("…")
    assert line.endswith("50 % (40 to 60 %)")
