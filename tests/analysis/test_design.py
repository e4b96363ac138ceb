from __future__ import annotations

from typing import Any

import pytest

from danlu.analysis.base import Finding, Level
from danlu.analysis.design import design
from danlu.domain import Choice, Domain, Float, Int
from danlu.samplers import Fixed, Grid, Sampler
from danlu.schedulers import Hyperband
from danlu.study import Study

RATE = Float(1e-4, 1.0, log=True)


def study(space: dict[str, Domain], **fields: Any) -> Study:
    given: dict[str, Any] = {"goal": "Which is best?", "metric": "err", "trials": 200}
    return Study(name="s", space=space, **{**given, **fields})


def findings(space: dict[str, Domain], **fields: Any) -> dict[str, Finding]:
    return {finding.check: finding for finding in design(study(space, **fields))}


def test_a_study_that_keeps_the_rules_has_no_finding() -> None:
    optimizer = Choice(
        {
            "adam": {"lr": RATE, "one_minus_beta1": Float(0.01, 0.5, log=True)},
            "nesterov": {"lr": RATE, "one_minus_momentum": Float(0.01, 0.5, log=True)},
        }
    )
    space: dict[str, Domain] = {"optimizer": optimizer, "dropout": Float(0, 0.5)}
    assert design(study(space, scientific=["optimizer"])) == ()


@pytest.mark.parametrize("name", ["epochs", "max_steps", "num_epochs", "maxTrainSteps"])
def test_a_length_of_training_in_the_space_is_a_warning(name: str) -> None:
    found = findings({"lr": RATE, name: Int(5, 50)})
    assert found["step-count"].level is Level.WARNING
    assert name in found["step-count"].message


def test_warmup_steps_are_not_a_length_of_training() -> None:
    assert findings({"lr": RATE, "warmup_steps": Int(5, 50)}) == {}


def test_a_batch_size_among_the_nuisance_is_a_warning() -> None:
    found = findings({"lr": RATE, "batch_size": Choice([32, 64], ordered=True)})
    assert found["batch-size"].level is Level.WARNING
    assert "never tuned for validation error" in found["batch-size"].message


def test_a_batch_size_of_one_value_is_not_varied() -> None:
    assert findings({"lr": RATE, "batch_size": Choice([64])}) == {}


def test_a_batch_size_that_is_compared_is_a_notice() -> None:
    space: dict[str, Domain] = {"lr": RATE, "batch_size": Choice([32, 64])}
    found = findings(space, scientific=["batch_size"])
    assert found["batch-size"].level is Level.NOTICE


@pytest.mark.parametrize("name", ["lr", "base_lr", "momentum", "beta1", "adam_epsilon"])
def test_an_optimizer_hyperparameter_that_is_scientific_is_a_notice(name: str) -> None:
    found = findings({name: Float(0.5, 0.9), "width": Int(8, 64)}, scientific=[name])
    assert found["scientific-optimizer"].level is Level.NOTICE
    assert found["scientific-optimizer"].evidence["change"] == {"scientific": []}


def test_an_architecture_that_is_scientific_is_no_finding() -> None:
    space: dict[str, Domain] = {"lr": RATE, "activation": Choice(["relu", "gelu"])}
    assert findings(space, scientific=["activation"]) == {}


@pytest.mark.parametrize(
    "compared", ["layers", "hidden_size", "dropout_type", "augmentation", "batch_size"]
)
def test_a_fixed_rate_beside_what_depends_on_it_is_a_warning(compared: str) -> None:
    name = "regularizer" if compared == "dropout_type" else compared
    space: dict[str, Domain] = {name: Choice(["a", "b"]), "x": Float(0, 1)}
    found = findings(space, scientific=[name], fixed={"lr": 0.1})
    assert found["fixed-optimizer"].level is Level.WARNING
    assert found["fixed-optimizer"].evidence["fixed"] == ["lr"]


def test_a_rate_of_one_value_counts_as_fixed() -> None:
    space: dict[str, Domain] = {"lr": Float(0.1, 0.1), "layers": Int(1, 4)}
    assert "fixed-optimizer" in findings(space, scientific=["layers"])


def test_a_fixed_rate_is_no_warning_while_nothing_is_compared() -> None:
    assert findings({"layers": Int(1, 4)}, fixed={"lr": 0.1}) == {}


@pytest.mark.parametrize("name", ["weight_decay", "l2", "dropout", "label_smoothing"])
def test_a_strength_that_is_scientific_is_a_notice(name: str) -> None:
    found = findings({"lr": RATE, name: Float(0.1, 0.5)}, scientific=[name])
    assert found["scientific-strength"].level is Level.NOTICE


def test_the_use_of_a_regularizer_may_be_scientific() -> None:
    dropout = Choice({"off": {}, "on": {"dropout_rate": Float(0.1, 0.7)}})
    space: dict[str, Domain] = {"lr": RATE, "dropout": dropout}
    assert findings(space, scientific=["dropout"]) == {}


def test_one_rate_shared_by_two_optimizers_is_a_notice() -> None:
    space: dict[str, Domain] = {"lr": RATE, "optimizer": Choice(["adam", "sgd"])}
    found = findings(space, scientific=["optimizer"])
    assert found["shared-optimizer"].level is Level.NOTICE
    assert found["shared-optimizer"].evidence["paths"] == ["lr"]


def test_a_rate_on_a_linear_scale_is_a_warning_with_the_change() -> None:
    found = findings({"lr": Float(1e-3, 1.0)})["linear-scale"]
    assert found.level is Level.WARNING
    assert found.evidence["change"] == {"space": {"lr": {"log": True}}}


def test_a_linear_scale_from_zero_is_given_a_low_bound() -> None:
    found = findings({"weight_decay": Float(0.0, 0.1)})["linear-scale"]
    assert found.evidence["change"] == {
        "space": {"weight_decay": {"low": 1e-4, "log": True}}
    }


def test_the_change_names_the_path_inside_a_branch() -> None:
    optimizer = Choice({"adam": {"lr": Float(1e-3, 1.0)}, "sgd": {"lr": RATE}})
    found = findings({"optimizer": optimizer})["linear-scale"]
    assert list(found.evidence["change"]["space"]) == ["optimizer=adam/lr"]


@pytest.mark.parametrize("domain", [RATE, Float(0.1, 0.5), Choice([0.1, 0.001])])
def test_a_rate_on_log_or_within_a_decade_is_no_finding(domain: Domain) -> None:
    assert findings({"lr": domain}) == {}


def test_a_dropout_on_a_log_scale_is_a_notice() -> None:
    found = findings({"dropout": Float(0.01, 0.5, log=True)})["log-dropout"]
    assert found.level is Level.NOTICE
    assert found.evidence["change"] == {"space": {"dropout": {"log": False}}}


def test_arms_without_enough_trials_are_a_notice_with_the_number_needed() -> None:
    space: dict[str, Domain] = {"lr": RATE, "model": Choice(list("abcdefghij"))}
    found = findings(space, scientific=["model"], trials=39)["lost-arms"]
    assert found.level is Level.NOTICE
    assert found.evidence["change"] == {"trials": 40}


def test_a_continuous_scientific_value_loses_no_arms() -> None:
    space: dict[str, Domain] = {"lr": RATE, "temperature": Float(0, 1)}
    assert findings(space, scientific=["temperature"]) == {}


def test_too_few_trials_are_a_warning_with_the_number_needed() -> None:
    optimizer = Choice(
        {"adam": {"lr": RATE, "beta1": Float(0.8, 0.9)}, "sgd": {"lr": RATE}}
    )
    space: dict[str, Domain] = {"optimizer": optimizer, "width": Int(8, 64)}
    found = findings(space, scientific=["optimizer"], trials=59)["too-few-trials"]
    assert found.level is Level.WARNING
    assert found.evidence["dimensions"] == 3
    assert found.evidence["change"] == {"trials": 60}


def test_ten_trials_for_each_dimension_of_each_arm_are_enough() -> None:
    assert findings({"lr": RATE, "width": Int(8, 64)}, trials=20) == {}


def test_no_more_trials_are_needed_than_there_are_combinations() -> None:
    space: dict[str, Domain] = {"a": Int(0, 1), "b": Choice(["x", "y"])}
    assert findings(space, trials=12) == {}
    few = findings(space, trials=3)["too-few-trials"]
    assert few.evidence["change"] == {"trials": 4}
    assert "make 20, of which 4 are different" in few.message


def test_a_grid_that_the_trials_do_not_finish_is_a_warning() -> None:
    space: dict[str, Domain] = {name: Float(0, 1) for name in "abc"}
    found = findings(space, sampler="grid", trials=30)
    assert list(found) == ["unfinished-list"]
    assert found["unfinished-list"].level is Level.WARNING
    assert found["unfinished-list"].evidence == {"points": 125, "trials": 30}


@pytest.mark.parametrize("sampler", [Grid(levels=2), Fixed([{"a": 0.1}] * 2)])
def test_a_list_that_ends_before_the_trials_is_a_notice(sampler: Sampler) -> None:
    found = findings({"a": Float(0, 1)}, sampler=sampler, trials=12)
    assert list(found) == ["short-list"]
    assert found["short-list"].evidence["change"] == {"trials": 2}


def test_a_grid_of_as_many_points_as_trials_has_no_finding() -> None:
    assert findings({"a": Float(0, 1)}, sampler=Grid(levels=7), trials=7) == {}


def test_what_is_fixed_beside_a_comparison_is_a_notice() -> None:
    space: dict[str, Domain] = {"lr": RATE, "model": Choice(["a", "b"])}
    found = findings(space, scientific=["model"], fixed={"classes": 10})
    assert found["fixed-limits"].level is Level.NOTICE
    assert "classes=10" in found["fixed-limits"].message


def test_every_finding_has_a_sentence_and_an_advice() -> None:
    space: dict[str, Domain] = {
        "lr": Float(0, 1),
        "epochs": Int(1, 9),
        "batch": Int(1, 64),
        "dropout": Float(0.01, 1, log=True),
        "opt": Choice(["a", "b"]),
    }
    found = design(study(space, scientific=["dropout", "opt", "lr"], trials=5))
    assert len(found) >= 7
    assert all(f.message.endswith(".") and f.advice.endswith(".") for f in found)


COSINE = {"lr_schedule": "cosine"}


@pytest.mark.parametrize("scheduler", ["median", "asha", Hyperband()])
def test_a_schedule_to_the_end_is_noticed_where_trials_are_cut(
    scheduler: str | Hyperband,
) -> None:
    found = findings({"lr": RATE}, fixed=COSINE, scheduler=scheduler, max_steps=27)
    assert found["cut-schedule"].evidence == {"schedules": ["lr_schedule=cosine"]}
    assert "at step 27" in found["cut-schedule"].message


def test_an_option_to_the_end_is_noticed() -> None:
    space: dict[str, Domain] = {"lr": RATE, "decay": Choice(["none", "linear"])}
    found = findings(space, scheduler="asha", max_steps=27)
    assert found["cut-schedule"].evidence == {"schedules": ["decay=linear"]}


@pytest.mark.parametrize("scheduler", ["full", "pbt"])
def test_a_schedule_is_not_cut_by_whoever_ends_nobody(scheduler: str) -> None:
    fields = {"fixed": COSINE, "scheduler": scheduler, "max_steps": 27}
    assert findings({"lr": RATE}, **fields) == {}


def test_a_schedule_that_knows_no_end_is_not_cut() -> None:
    fields: dict[str, Any] = {"scheduler": "asha", "max_steps": 27}
    assert findings({"lr": RATE}, fixed={"schedule": "exponential"}, **fields) == {}
    assert findings({"lr": RATE}, fixed={"activation": "linear"}, **fields) == {}
