from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.cells import cell_len

from danlu.analysis.base import Finding, Level
from danlu.decide.decision import Decision, Guard, Ruling, Runs
from danlu.domain import Choice, Domain, Float, Int
from danlu.history import History
from danlu.metric import Metric
from danlu.report import Summary, html, summarize, summary_to_json, text, write_html
from danlu.storage.base import Note
from danlu.study import Study
from danlu.trial import Curve, Kind, State, Trial
from danlu.value import Value

NASTY = "<script>alert('x')</script> \"&amp; 丹炉 \x1b[31m"
VOID = {"meta", "br", "hr", "img", "link"}


def made(
    trials: Sequence[Trial] = (),
    space: dict[str, Domain] | None = None,
    notes: Sequence[Note] = (),
    **fields: Any,
) -> Summary:
    planned = max(len(trials), 9)
    given: dict[str, Any] = {"goal": "Which?", "metric": "err", **fields}
    study = Study(
        trials=planned, name="s", space=space or {"x": Float(0.0, 1.0)}, **given
    )
    history = History(study.search_space, study.objective, trials)
    return summarize(study, history, notes)


def done(number: int, value: float, **fields: Any) -> Trial:
    given: dict[str, Any] = {
        "params": {"x": number / 10},
        "state": State.COMPLETED,
        "curves": {"err": Curve.of({1: 2 * value, 2: value})},
        **fields,
    }
    return Trial(number, **given)


def lost(number: int, state: State, reason: str = "") -> Trial:
    return done(number, math.nan, state=state, reason=reason)


def nasty() -> Summary:
    space: dict[str, Domain] = {
        NASTY: Choice([NASTY, "b" * 300, None, True, 2**70]),
        "x": Float(-1e308, 1e308),
        "n": Int(0, 10**30),
        "one": Float(3.0, 3.0),
    }
    params: dict[str, Value] = {NASTY: NASTY, "x": 0.0, "n": 2**60, "one": 3.0}
    curves = {NASTY: Curve.of({0: math.inf, 5: 1e308, 2**50: -1e308, 2**60: math.nan})}
    trials = [
        Trial(0, params, State.COMPLETED, curves=curves, host=NASTY),
        Trial(1, {**params, "n": 10**30}, State.COMPLETED, curves=curves),
        Trial(2, params, State.FAILED, reason=NASTY),
        Trial(3, {**params, NASTY: None}, State.RUNNING, curves=curves),
    ]
    given: dict[str, Any] = {
        "goal": NASTY,
        "note": NASTY,
        "baseline": params,
        "fixed": {"f": NASTY},
    }
    return made(trials, space, [Note(NASTY, 0.0)], metric=NASTY, **given)


CASES: dict[str, Callable[[], Summary]] = {
    "empty": made,
    "one trial": lambda: made([done(0, 0.5)]),
    "one running": lambda: made([done(0, 0.5, state=State.RUNNING)]),
    "one without a curve": lambda: made([done(0, 0.5, curves={})]),
    "all failed": lambda: made([lost(k, State.FAILED, "exit 1") for k in range(3)]),
    "all infeasible": lambda: made([lost(k, State.INFEASIBLE) for k in range(3)]),
    "some of each": lambda: made([lost(0, State.FAILED), lost(1, State.INFEASIBLE)]),
    "constant": lambda: made([done(k, 0.5) for k in range(9)]),
    "zero": lambda: made([done(k, 0.0) for k in range(9)]),
    "one step each": lambda: made(
        [done(k, 0.5, curves={"err": Curve.of({3: k / 10})}) for k in range(9)]
    ),
    "maximize": lambda: made(
        [done(k, k / 10) for k in range(9)], metric=Metric("err", maximize=True)
    ),
    "one far off": lambda: made([done(k, 10.0 ** (50 * (k == 3))) for k in range(9)]),
    "baseline only": lambda: made([done(0, 0.5, kind=Kind.BASELINE)]),
    "params outside": lambda: made([done(0, 0.5, params={"y": 1})]),
    "nasty": nasty,
}


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Summary:
    return CASES[request.param]()


@pytest.fixture(scope="module")
def example(study: Study, history: History) -> Summary:
    return summarize(study, history, [Note("why: the pilot was too short", 1.77e9)])


class _Nesting(HTMLParser):
    """Fails on a tag that is not closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_page_is_well_nested_and_has_no_script(case: Summary) -> None:
    page = _Nesting()
    page.feed(html(case))
    assert page.open == []
    assert "script" not in page.tags


def test_every_figure_is_well_formed_and_has_no_number_that_is_none(
    case: Summary,
) -> None:
    drawn = re.findall(r"<svg.*?</svg>", html(case), re.DOTALL)
    for figure in drawn:
        ElementTree.fromstring(figure)
        marks = re.findall(r' (?:d|x|y|cx|cy|x1|y2)="([^"]*)"', figure)
        assert not [mark for mark in marks if "nan" in mark or "inf" in mark]


def test_every_text_fits_its_width(case: Summary) -> None:
    for width in (60, 80, 100):
        widest = max(cell_len(line) for line in text(case, width).splitlines())
        assert widest <= width


def test_text_has_no_control_character_of_the_user(case: Summary) -> None:
    assert "\x1b" not in text(case)


def test_every_document_is_strict_json(case: Summary) -> None:
    document = summary_to_json(case)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["schema"] == "danlu/report@1"


def test_the_users_text_is_escaped() -> None:
    page = html(nasty())
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_page_asks_for_nothing_outside_itself(example: Summary) -> None:
    page = html(example)
    assert "default-src 'none'" in page
    outside = r"https?:|//[a-z]|<link|<iframe|<img|\bsrc=|url\(|@import|<[^>]* on\w+="
    assert re.findall(outside, page) == []


def test_the_page_states_value_step_and_params_of_the_best(example: Summary) -> None:
    page, best = html(example), example.best
    assert best is not None
    assert f"val_error {best.value:.4g} <small>trial #{best.number}" in page
    assert json.dumps(dict(best.params)) == _unescaped(
        re.findall(r"<pre>(.*?)</pre>", page)[0]
    )


def _unescaped(part: str) -> str:
    return part.replace("&#34;", '"')


def test_every_hyperparameter_has_a_plot(example: Summary) -> None:
    page = html(example)
    for axis in example.axes:
        assert f"<h3>{axis.path}</h3>" in page


def test_each_infeasible_trial_is_a_cross_on_the_plot_of_what_all_have(
    example: Summary,
) -> None:
    figure = html(example).split("<h3>weight_decay</h3>")[1].split("</figure>")[0]
    crosses = re.findall(r'<path d="([^"]*)" class="infeasible"', figure)[0]
    assert crosses.count("M") == example.states[State.INFEASIBLE] == 8


def test_the_best_value_is_called_selected(example: Summary) -> None:
    said = f"Best of {example.valued}, one seed each: selected"
    assert said in html(example)
    assert said in " ".join(text(example).split())


def test_faces_show_the_same_numbers(example: Summary) -> None:
    document, shown = summary_to_json(example), text(example, 200)
    best = document["best"]
    assert f"val_error {best['value']:.4g}" in shown
    assert f"Trial #{best['number']} at step {best['best_step']}" in shown
    assert f"{document['ended']} of {document['planned']} trials ended" in shown


def test_a_large_page_says_what_it_left_out() -> None:
    trials = [
        done(k, 0.1 + k % 97 / 100, params={"x": k / 3000}, index=k)
        for k in range(3000)
    ]
    page = html(made(trials))
    assert "showing 2," in page
    assert "of 3,000 trials" in page
    assert len(page) < 1_000_000


def test_color_is_given_only_where_asked_for(example: Summary) -> None:
    assert "\x1b[1m" in text(example, color=True)
    assert "\x1b[" not in text(example)
    assert re.sub(r"\x1b\[\d+m", "", text(example, color=True)) == text(example)


def test_training_curves_are_dashed_beside_validation(example: Summary) -> None:
    page = html(example)
    assert "val_error, train_error" in page
    assert 'class="series c1 train"' in page


def test_the_report_is_written_where_asked(
    tmp_path: Path, study: Study, history: History
) -> None:
    path = write_html(study, history, tmp_path / "new" / "report.html")
    page = path.read_text(encoding="utf-8")
    assert page.lstrip().startswith("<!doctype html>")
    assert page.endswith("</html>")


def test_all_infeasible_is_said_in_words() -> None:
    assert "All 3 trials that ended are infeasible" in text(CASES["all infeasible"]())


def test_nan_and_inf_are_strings_in_the_document() -> None:
    document = summary_to_json(nasty())
    values = [entry["values"] for panel in document["curves"] for entry in panel]
    assert values[0] == ["inf", 1e308, -1e308, "nan"]


def test_findings_stand_in_every_face() -> None:
    summary = made([done(0, 0.4), done(1, 0.3)], {"lr": Float(1e-4, 1.0)})
    (finding,) = (own for own in summary.findings if own.check == "linear-scale")
    assert finding.message.split()[0] in text(summary, width=200)
    assert finding.advice in text(summary, width=400)
    assert "What was found" in html(summary)
    said = [own["check"] for own in summary_to_json(summary)["findings"]]
    assert "linear-scale" in said


def test_evidence_that_is_not_finite_is_valid_json() -> None:
    finding = Finding("x", Level.NOTICE, "m", "", {"at": [math.nan], "to": math.inf})
    document = summary_to_json(replace(made(), findings=(finding,)))
    said = json.loads(json.dumps(document["findings"], allow_nan=False))
    assert said[0]["evidence"] == {"at": ["nan"], "to": "inf"}


def test_a_best_trial_that_was_confirmed_is_shown_with_its_fresh_seeds() -> None:
    params = {"lr": 0.1}
    lucky = Runs(params, (1,), (7, 8), 2, 0.5, 0.01, 0)
    other = Runs({"lr": 0.2}, (0,), (9, 10), 2, 0.35, 0.02, 0)
    decision = Decision(
        "s", Ruling.ADOPT, metric="loss", candidate=other, candidates=(lucky, other)
    )
    summary = replace(made([done(0, 0.4), done(1, 0.3)]), decision=decision)
    again = "Trained again on 2 fresh seeds: 0.5 (sd 0.01) in the mean."
    row = "Trial #0, the candidate: loss 0.35 (sd 0.02) on 2 fresh seeds, lr=0.2"
    for page in (text(summary), html(summary)):
        assert again in page
        assert row in page


def test_the_decision_stands_in_every_face() -> None:
    decision = Decision(
        "s",
        Ruling.ADOPT,
        reason="trial 1 is better",
        guards=(Guard("ms <= 20", 12.0, 20.0, kept=True),),
        caveats=("It holds for f=1.",),
    )
    summary = replace(made([done(0, 0.4), done(1, 0.3)]), decision=decision)
    kept = "ms <= 20 is kept: 12, where at most 20 was asked for."
    said = f"Decision: adopt\n  Trial 1 is better.\n  {kept}\n  It holds for f=1."
    assert said in text(summary)
    assert "ms &lt;= 20 is kept" in html(summary)
    assert "It holds for f=1." in html(summary)
    assert summary_to_json(summary)["decision"]["ruling"] == "adopt"
    assert "Train it again" not in text(summary)  # it was
