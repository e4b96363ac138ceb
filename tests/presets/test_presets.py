from __future__ import annotations

import inspect

import pytest

from danlu import Float, Int, SearchSpace, Study, presets
from danlu.analysis.design import design
from danlu.domain import Choice
from danlu.errors import StudyError

every_preset = pytest.mark.parametrize("name", presets.names())


@pytest.mark.parametrize(
    ("trials", "searched"),
    [
        (1, ["lr"]),
        (9, ["lr"]),
        (10, ["lr", "one_minus_beta1"]),
        (25, ["lr", "one_minus_beta1"]),
        (26, ["lr", "one_minus_beta1", "epsilon"]),
        (49, ["lr", "one_minus_beta1", "epsilon"]),
        (50, ["lr", "one_minus_beta1", "epsilon", "one_minus_beta2"]),
    ],
)
def test_adam_is_searched_by_the_budget_of_trials(
    trials: int, searched: list[str]
) -> None:
    assert list(presets.adam(trials).domains) == searched
    assert list(presets.nadam(trials).domains) == searched


@every_preset
def test_every_preset_is_a_function_too(name: str) -> None:
    function = getattr(presets, name)
    assert function(trials=30) == presets.preset(name, trials=30).space
    assert function() == presets.preset(name).space


@every_preset
def test_every_range_has_its_reason(name: str) -> None:
    own = presets.preset(name)
    assert list(own.reasons) == [dimension.path for dimension in own.space.dimensions]
    assert all(len(reason) > 20 for reason in own.reasons.values())


@every_preset
def test_the_learning_rate_comes_first_and_more_trials_only_add(name: str) -> None:
    sizes = []
    for trials in (1, 10, 20, 30, 50, 100, 1000):
        paths = [own.path for own in presets.preset(name, trials).space.dimensions]
        assert paths[0] == "lr"
        sizes.append(len(paths))
    assert sizes == sorted(sizes)


@every_preset
@pytest.mark.parametrize("trials", [10, 30, 100])
def test_no_rule_of_thumb_speaks_against_a_preset(name: str, trials: int) -> None:
    space = presets.preset(name, trials).space
    study = Study("s", "Which is best?", "err", space, trials=trials)
    assert {own.check for own in design(study)} <= {"too-few-trials"}


@pytest.mark.parametrize("name", ["mlp", "cnn", "rnn", "transformer"])
def test_the_trials_cover_what_a_network_is_searched_by(name: str) -> None:
    for trials in (10, 20, 45, 80):
        space = presets.preset(name, trials).space
        study = Study("s", "Which is best?", "err", space, trials=trials)
        assert design(study) == ()


@every_preset
def test_no_batch_size_and_no_length_is_searched(name: str) -> None:
    paths = set(presets.preset(name).reasons)
    assert not paths & {"batch_size", "epochs", "max_steps"}


def test_a_preset_is_extended_as_a_dict_is() -> None:
    space = SearchSpace(
        {**presets.adamw(trials=40).domains, "lr": Float(1e-4, 1e-2, log=True)}
        | {"depth": Int(2, 8)}
    )
    reasons = presets.why(space)
    assert "depth" not in reasons
    assert "lr" not in reasons
    assert "weight_decay" in reasons


def test_reasons_are_known_inside_a_branch() -> None:
    optimizer = Choice(
        {"adam": presets.adam(9).domains, "sgd": presets.nesterov(9).domains}
    )
    reasons = presets.why(SearchSpace({"optimizer": optimizer}))
    assert "SGD" in reasons["optimizer=sgd/lr"]
    assert "Adam" in reasons["optimizer=adam/lr"]


def test_a_wrong_name_gets_a_suggestion() -> None:
    with pytest.raises(StudyError, match="did you mean 'adamw'"):
        presets.preset("adanw")


@pytest.mark.parametrize("trials", [0, -3, 2.5, True])
@every_preset
def test_a_wrong_number_of_trials_is_an_error(name: str, trials: int) -> None:
    with pytest.raises(StudyError, match="whole number from 1"):
        presets.preset(name, trials)


def test_all_presets_take_the_trials_alone() -> None:
    for name in presets.names():
        parameters = inspect.signature(getattr(presets, name)).parameters
        assert list(parameters) == ["trials"]
