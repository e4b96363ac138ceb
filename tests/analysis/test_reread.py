from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import danlu
from danlu.analysis.checks import analyze
from danlu.analysis.reread import caveat, reread
from danlu.errors import StudyError
from danlu.history import History
from danlu.metric import Metric
from danlu.study import Study
from danlu.trial import Curve, State, Trial
from tests.analysis.curves import plain
from tests.studies import bowl


def trial(number: int, state: State = State.COMPLETED, **curves: list[float]) -> Trial:
    own = {name: Curve.of(dict(enumerate(v, 1))) for name, v in curves.items()}
    return Trial(number, {"x": number / 4}, state, curves=own)


def known(*trials: Trial, **changes: Any) -> tuple[Study, History]:
    study = bowl(metric="val_loss", **changes)
    return study, History(study.search_space, study.objective, trials)


ONE = trial(0, val_loss=[0.5, 0.1, 0.4], val_accuracy=[0.5, 0.9, 0.6])
TWO = trial(1, val_loss=[0.5, 0.3, 0.2], val_accuracy=[0.5, 0.7, 0.8])


def test_another_rule_of_choosing_the_checkpoint_may_turn_the_order() -> None:
    study, history = known(ONE, TWO)
    again, read = reread(study, history, at="last")

    assert history.best == ONE
    assert read.best == TWO
    assert again.objective == Metric("val_loss", at="last")


def test_accuracy_is_made_large_by_its_name() -> None:
    again, read = reread(*known(ONE, TWO), metric="val_accuracy")

    assert again.objective == Metric("val_accuracy", maximize=True)
    assert [0, 1] == [own.number for own in read.ranked()]


def test_a_metric_says_itself_which_way_is_better() -> None:
    own = Metric("val_accuracy", at="last")

    assert reread(*known(ONE), metric=own)[0].objective == own


def test_nothing_else_of_the_study_changes() -> None:
    study, history = known(ONE, TWO)
    again, read = reread(study, history, metric="val_accuracy")

    assert study == replace(again, metric=study.metric)
    assert list(read.trials) == list(history.trials)


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(StudyError, match="val_accuracy"):
        reread(*known(ONE), metric="val_acuracy")


def test_a_steady_study_has_no_caveat() -> None:
    finding = caveat(*known(ONE, TWO), Metric("val_accuracy"))

    assert finding.level == danlu.Level.OK


@pytest.mark.parametrize(
    ("trials", "changes", "words"),
    [
        ([ONE], {"sampler": "gp"}, "the sampler chose points"),
        ([trial(2, State.STOPPED, val_loss=[1.0], val_accuracy=[0.1])], {}, "stopped"),
        ([trial(3, val_loss=[1.0])], {}, "1 trials did not report val_accuracy"),
    ],
)
def test_what_was_chosen_by_the_first_metric_is_said(
    trials: list[Trial], changes: dict[str, Any], words: str
) -> None:
    finding = caveat(*known(*trials, **changes), Metric("val_accuracy"))

    assert finding.level == danlu.Level.NOTICE
    assert words in finding.message
    assert finding.evidence == plain(finding.evidence)


def test_every_check_takes_the_study_that_was_read_again() -> None:
    findings = analyze(*reread(*known(ONE, TWO), metric="val_accuracy", at="last"))

    assert len(findings) > 10
