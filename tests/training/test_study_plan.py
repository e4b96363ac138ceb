from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from danlu.training.optimizers import build_optimizer
from danlu.training.program import Program
from danlu.training.rate_range import RateRange
from danlu.training.steps import Steps
from danlu.training.study_plan import study_plan
from danlu.training.trial_runs import Stability, TrialRun, noise, stability
from tests.training.planted_bugs import counted_step, healthy, language

torch.set_num_threads(1)
FOUND = RateRange("ok", "", 0.01, 0.1, 0.001, 0.04, ())
STABLE = Stability(0.01, unstable_rate=0.05, warmup=0.05, clip_norm=2.0)
OPTIMIZERS = [
    *("sgd", "nesterov", "sgdw", "nesterovw", "adam", "adamw", "nadam", "nadamw"),
    *("rmsprop", "muon"),
]


def parabola() -> Program:
    """One weight that is best at 1, and a loss of curvature 2."""
    return Program(
        model=lambda params: torch.nn.Linear(1, 1, bias=False),
        optimizer=lambda model, params: torch.optim.SGD(
            model.parameters(), lr=params["lr"]
        ),
        loss=lambda model, batch: (model(batch[0]) - batch[1]).square().mean(),
        train=(torch.ones(8, 1), torch.ones(8, 1)),
    )


@pytest.mark.parametrize(
    ("trials", "names"),
    [
        (9, {"lr"}),
        (10, {"lr", "one_minus_beta1"}),
        (26, {"lr", "one_minus_beta1", "epsilon"}),
        (100, {"lr", "one_minus_beta1", "epsilon", "one_minus_beta2"}),
    ],
)
def test_more_trials_search_more_of_adam(trials: int, names: set[str]) -> None:
    plan = study_plan(FOUND, STABLE, optimizer="AdamW", trials=trials, steps=200)

    assert names == set(plan.study["space"])  # type: ignore[call-overload]


def two_layers() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))


def settings_of(optimizer: Any) -> list[dict[str, Any]]:
    names = ("lr", "momentum", "betas", "eps", "alpha")
    return [
        {name: group[name] for name in names if name in group}
        for group in optimizer.param_groups
    ]


@pytest.mark.parametrize("trials", [9, 10, 26, 100])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_baseline_is_the_optimizer_of_the_range_test(
    optimizer: str, trials: int
) -> None:
    params = {"optimizer": optimizer, "lr": FOUND.suggestion}
    ranged = build_optimizer(two_layers(), params)
    for given in (ranged, type(ranged).__name__):
        plan = study_plan(FOUND, STABLE, optimizer=given, trials=trials, steps=200)
        baseline: Any = plan.study["baseline"]
        planned = build_optimizer(two_layers(), {**params, **baseline})

        for own, other in zip(settings_of(ranged), settings_of(planned), strict=True):
            for name, value in own.items():
                assert value == pytest.approx(other[name])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_both_ends_of_a_planned_space_can_be_built(optimizer: str) -> None:
    params = {"optimizer": optimizer, "lr": 0.01}
    ranged = build_optimizer(two_layers(), params)
    plan = study_plan(FOUND, STABLE, optimizer=ranged, trials=100, steps=200)
    space: Any = plan.study["space"]

    for end in (0, 1):
        ends = {
            name: float(domain.removesuffix(":log").split("..")[end])
            for name, domain in space.items()
        }
        build_optimizer(two_layers(), {**params, **ends})


@pytest.mark.parametrize(
    ("momentum", "domain"), [(0.0, "0.01..1:log"), (0.995, "0.005..0.5:log")]
)
def test_a_domain_has_the_momentum_of_the_range_test_in_it(
    momentum: float, domain: str
) -> None:
    ranged = torch.optim.SGD(two_layers().parameters(), 0.1, momentum=momentum)
    plan = study_plan(FOUND, STABLE, optimizer=ranged, trials=10, steps=200)
    space: Any = plan.study["space"]
    baseline: Any = plan.study["baseline"]

    assert domain == space["one_minus_momentum"]
    assert 1 - momentum == pytest.approx(baseline["one_minus_momentum"])


def test_of_an_optimizer_without_momentum_the_rate_alone_is_searched() -> None:
    ranged = torch.optim.Adagrad(two_layers().parameters())
    plan = study_plan(FOUND, STABLE, optimizer=ranged, trials=100, steps=200)

    assert ["lr"] == list(plan.study["space"])  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "sizes",
    [
        {"trials": 0, "steps": 200},
        {"trials": -3, "steps": 200},
        {"trials": 8, "steps": 0},
        {"trials": 8, "steps": -5},
        {"trials": 8, "steps": 50.0},
    ],
)
def test_a_study_of_no_trials_or_steps_is_refused(sizes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a study needs a number of"):
        study_plan(FOUND, STABLE, optimizer="SGD", **sizes)


def test_the_rate_is_searched_up_to_where_it_diverges() -> None:
    plan = study_plan(FOUND, STABLE, optimizer="SGD", trials=8, steps=200)

    assert {"lr": "1.0e-03..4.0e-02:log"} == plan.study["space"]


def test_every_number_has_its_reason() -> None:
    plan = study_plan(FOUND, STABLE, optimizer="AdamW", trials=30, steps=200)
    space = plan.study["space"]

    assert isinstance(space, dict)
    assert {f"space.{name}" for name in space} <= set(plan.reasons)
    assert set(plan.training) <= set(plan.reasons)
    assert 10 == plan.training["warmup_steps"]


def test_the_steps_are_the_length_of_a_training_with_their_reason() -> None:
    steps = Steps("ok", "A constant rate of 0.02 fits.", 120, 0.02, 0.5, 0.0, ())
    plan = study_plan(FOUND, STABLE, optimizer="AdamW", trials=8, steps=steps)

    assert 126 == plan.study["max_steps"]  # the warm-up is added
    assert 6 == plan.training["warmup_steps"]
    assert "fits. With 6 more for the warm-up." in plan.reasons["max_steps"]
    assert "max_steps: 126" in plan.text()


def test_a_length_that_was_asked_for_has_the_warmup_in_it() -> None:
    plan = study_plan(FOUND, STABLE, optimizer="AdamW", trials=8, steps=120)

    assert 120 == plan.study["max_steps"]
    assert 6 == plan.training["warmup_steps"]


def test_the_ends_of_the_range_have_their_reason() -> None:
    plan = study_plan(FOUND, STABLE, optimizer="SGD", trials=8, steps=200)
    wide = replace(FOUND, verdict="noisy", spread=0.3)
    wider = study_plan(wide, STABLE, optimizer="SGD", trials=8, steps=200)

    assert "to 0.04, where the loss diverges" in plan.reasons["space.lr"]
    assert "both ends 2x further" in wider.reasons["space.lr"]
    assert {"lr": "5.0e-04..8.0e-02:log"} == wider.study["space"]


def test_without_steps_there_is_no_study() -> None:
    flat = Steps("flat", "No constant rate trains.", None, None, None, None, ())

    with pytest.raises(ValueError, match="No constant rate"):
        study_plan(FOUND, STABLE, optimizer="AdamW", trials=8, steps=flat)


def test_without_a_rate_there_is_no_study() -> None:
    flat = RateRange("flat", "It falls nowhere.", None, None, None, None, ())

    with pytest.raises(ValueError, match="falls nowhere"):
        study_plan(flat, STABLE, optimizer="AdamW", trials=8, steps=200)


def test_a_rate_far_too_large_is_unstable() -> None:
    found = healthy().stability(0.1, steps=60)

    assert found.unstable_rate is not None
    assert found.unstable_rate <= 1.0
    assert found.warmed_rate == 10 * found.unstable_rate


def test_a_small_rate_is_stable_at_ten_times_and_needs_no_warmup() -> None:
    found = language().stability(1e-3, steps=60)

    assert (None, 0.0) == (found.unstable_rate, found.warmup)
    assert found.clip_norm is not None


def test_the_warmup_is_for_ten_times_the_rate_at_which_training_fails() -> None:
    """A parabola of curvature 2 diverges above a rate of 1: the first to fail is 2."""
    found = stability(parabola(), 0.4, steps=100)

    assert (2.0, 20.0) == (found.unstable_rate, found.warmed_rate)
    assert found.warmup is None  # no warm-up helps a parabola


@pytest.mark.parametrize(
    ("losses", "stable"),
    [
        ([2.0] + [1.0] * 19, True),
        ([2.0, 40.0] + [1.0] * 18, False),  # it rose before it fell
        ([2.0] + [1.0] * 9 + [1.5] * 10, False),  # half of the fall is given back
        ([2.0] + [1.0] * 9 + [1.2] * 10, True),
        ([2.0] * 20, False),
        ([1.0, math.nan], False),
    ],
)
def test_a_run_is_stable_that_gives_back_less_than_a_quarter_of_its_fall(
    losses: list[float], stable: bool
) -> None:
    assert stable == TrialRun(tuple(losses), (), None).is_stable


def test_seeds_differ_a_little() -> None:
    found = healthy().noise(3e-3, steps=60, seeds=3)

    assert 0 < found.deviation < found.mean


def test_noise_needs_two_seeds() -> None:
    with pytest.raises(ValueError, match="2 seeds"):
        healthy().noise(3e-3, seeds=1)


@pytest.mark.parametrize(
    ("rate", "steps"),
    [(-0.01, 20), (0.0, 20), (math.nan, 20), (math.inf, 20), (0.1, 0), (0.1, -1)],
)
def test_trainings_of_no_rate_or_no_steps_are_refused(rate: float, steps: int) -> None:
    with pytest.raises(ValueError, match="stability needs a rate above 0 and steps"):
        stability(parabola(), rate, steps=steps)
    with pytest.raises(ValueError, match="noise needs a rate above 0 and steps"):
        noise(parabola(), rate, steps=steps, seeds=2)


def test_seeds_that_diverge_have_no_noise() -> None:
    ones = torch.ones(8, 1)
    steep = replace(parabola(), val=(ones, ones))

    with pytest.raises(ValueError, match="ask at a smaller rate"):
        noise(steep, 100.0, steps=60, seeds=2)


def test_noise_and_stability_are_those_of_the_program_s_own_step() -> None:
    calls: list[int] = []
    probe = healthy(step=counted_step(calls))

    assert 2 == probe.noise(0.01, steps=20, seeds=2).seeds
    assert 40 == len(calls)
    assert probe.stability(0.01, steps=40).clip_norm is None
