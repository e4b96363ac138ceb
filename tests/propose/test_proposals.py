from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import danlu
from danlu.analysis.base import Finding, Level
from danlu.analysis.overfitting import _change
from danlu.domain import Choice, Domain, Float
from danlu.history import History
from danlu.propose.plans import Aim
from danlu.propose.proposals import Proposal, propose, without_planned
from danlu.propose.worth import doubling_gain
from danlu.study import Study
from danlu.trial import Kind
from tests.histories import ended, searched

SPACE = {"lr": Float(1e-3, 1.0, log=True), "decay": Float(1e-6, 1e-2, log=True)}


def found(
    check: str, change: dict[str, Any], level: Level = Level.WARNING, **evidence: Any
) -> Finding:
    said = f"{check} has something to say."
    return Finding(check, level, said, "Do so.", {**evidence, "change": change})


EDGE = found("boundary", {"space": {"lr": {"high": 10.0}}})
OTHER_EDGE = found("boundary", {"space": {"decay": {"low": 1e-8}}})


def searched_lr(**fields: Any) -> tuple[Study, History]:
    return searched(SPACE, lambda p: abs(p["lr"] - 0.3), **fields)


def noisy(history: History) -> History:
    """The history with the best params trained again, with another loss each time."""
    assert history.best is not None
    again = [
        ended(100 + place, history.best.params, 10.0 * place, kind=Kind.CONFIRM)
        for place in range(6)
    ]
    return replace(history, trials=[*history.trials, *again])


def aims(proposals: tuple[Proposal, ...]) -> list[Aim]:
    return [own.aim for own in proposals]


def test_edges_are_moved_together_in_one_study() -> None:
    study, history = searched_lr()
    (proposal,) = propose(study, history, [EDGE, OTHER_EDGE])
    domains = proposal.study.search_space.domains
    assert domains["lr"] == Float(1e-3, 10.0, log=True)
    assert domains["decay"] == Float(1e-8, 1e-2, log=True)
    assert proposal.findings == (EDGE, OTHER_EDGE)


def test_a_moved_study_takes_over_the_trials_inside_it() -> None:
    study, history = searched_lr()
    (proposal,) = propose(study, history, [EDGE])
    assert proposal.carried == 40
    assert proposal.study.trials == 40 + 20
    assert proposal.seconds == 20 * 10.0


def test_trials_outside_of_a_moved_space_are_not_taken_over() -> None:
    study, history = searched_lr()
    shifted = found("boundary", {"space": {"lr": {"low": 0.1, "high": 10.0}}})
    (proposal,) = propose(study, history, [shifted])
    inside = sum(float(trial.params["lr"] or 0) >= 0.1 for trial in history.trials)
    assert proposal.carried == inside
    assert proposal.study.trials == 40


def test_a_comparison_is_run_anew_in_a_moved_space() -> None:
    space: dict[str, Domain] = {**SPACE, "model": Choice(["a", "b"])}
    study, history = searched(space, lambda p: p["lr"], scientific=["model"])
    (proposal,) = propose(study, history, [EDGE])
    assert (proposal.carried, proposal.study.trials) == (0, 40)


def test_the_best_trial_is_the_baseline_of_what_comes_next() -> None:
    study, history = searched_lr()
    (proposal,) = propose(study, history, [EDGE])
    assert history.best is not None
    assert proposal.study.baseline == history.best.params


def test_an_added_hyperparameter_has_no_value_in_the_baseline() -> None:
    study, history = searched_lr()
    dropout = found(
        "overfitting", {"space": {"dropout": {"add": {"low": 0.0, "high": 0.5}}}}
    )
    (proposal,) = propose(study, history, [dropout])
    assert proposal.aim is Aim.ADD
    assert proposal.study.baseline is None
    assert proposal.study.goal == "Is loss better with dropout?"
    assert proposal.needs == "the program takes dropout"


def test_names_go_on_counting_and_none_is_taken_twice() -> None:
    study, history = searched_lr()
    steps = found("step_budget", {"max_steps": 40})
    proposals = propose(study, history, [EDGE, steps], taken=["s-2", "s-4"])
    assert [own.study.name for own in proposals] == ["s-3", "s-5"]


def test_more_trials_are_more_of_the_same_study() -> None:
    study, history = searched_lr()
    more = found("coverage", {"trials": 80}, gain=0.1)
    proposals = propose(study, history, [EDGE, more])
    amended = next(own for own in proposals if own.aim is Aim.MORE)
    assert (amended.study.name, amended.study.trials) == ("s", 80)
    assert amended.seconds == 40 * 10.0
    assert amended.gain == 0.1


def test_exploitation_waits_until_the_space_is_settled() -> None:
    study, history = searched_lr()
    assert aims(propose(study, history, [EDGE])) == [Aim.MOVE]
    assert aims(propose(study, history, [])) == [Aim.NARROW]


def test_exploitation_hands_the_best_region_to_bayesian_optimization() -> None:
    space: dict[str, Domain] = {**SPACE, "model": Choice(["a", "b"])}
    study, history = searched(
        space, lambda p: abs(p["lr"] - 0.03), scientific=["model"], count=60
    )
    (proposal,) = propose(study, history, [])
    domain = proposal.study.search_space.domains["lr"]
    assert isinstance(domain, Float)
    assert 1e-3 < domain.low < 0.03 < domain.high < 1.0
    assert (proposal.study.sampler, proposal.study.scientific) == ("auto", ())


def test_what_does_not_matter_is_fixed_while_exploiting() -> None:
    study, history = searched_lr(sampler="gp")
    useless = found("importance", {"space": {"decay": {"fixed": 1e-4}}}, Level.NOTICE)
    (proposal,) = propose(study, history, [useless])
    assert proposal.study.fixed == {"decay": 1e-4}
    assert proposal.learned == 40
    assert proposal.study.learn_from == ("s",)


def test_a_study_that_learned_already_is_not_narrowed() -> None:
    study, history = searched_lr(sampler="gp")
    assert Aim.NARROW not in aims(propose(study, history, []))


def test_what_is_worth_less_than_the_noise_is_left_out() -> None:
    study, history = searched_lr()
    assert aims(propose(study, noisy(history), [])) == [Aim.TEST]


def test_the_last_look_is_at_the_best_params_and_the_test_metric() -> None:
    study, history = searched_lr()
    (look,) = propose(study, noisy(history), [])
    assert history.best is not None
    assert look.study.objective.name == "test_loss"
    assert look.needs.startswith("the program reports test_loss")
    assert look.study.search_space.decode([0.5]) == history.best.params


def test_the_last_look_is_at_what_was_best_on_fresh_seeds() -> None:
    study, history = searched_lr()
    lucky, second = history.ranked()[:2]
    again = [
        replace(ended(n, own.params, loss + n, kind=Kind.CONFIRM), seed=n % 5)
        for n, (own, loss) in enumerate([(lucky, 9.0)] * 5 + [(second, 0.0)] * 5)
    ]
    confirmed = replace(history, trials=[*history.trials, *again])
    (look,) = propose(study, confirmed, [])
    assert look.study.search_space.decode([0.5]) == second.params


def test_a_warning_comes_before_a_notice() -> None:
    study, history = searched_lr()
    steps = found("saturated", {"max_steps": 5}, Level.NOTICE)
    proposals = propose(study, history, [steps, EDGE])
    assert aims(proposals)[:2] == [Aim.MOVE, Aim.STEPS]


def test_fewer_steps_are_said_to_save_time() -> None:
    study, history = searched_lr()
    steps = found("saturated", {"max_steps": 5}, Level.NOTICE)
    short = next(o for o in propose(study, history, [steps]) if o.aim is Aim.STEPS)
    assert short.expects == "the same loss in 50% of the time"
    assert short.seconds == 40 * 5.0


def test_a_range_that_only_gets_smaller_saves_trials() -> None:
    study, history = searched_lr()
    smaller = found("infeasible", {"space": {"lr": {"high": 0.5}}})
    first, *_ = propose(study, history, [smaller])
    assert first.expects == "the same loss, with no trials spent on what is left out"
    beyond, *_ = propose(study, history, [EDGE])
    assert "nothing beyond it was tried" in beyond.expects


def test_a_change_of_another_kind_becomes_a_study_too() -> None:
    study, history = searched_lr()
    method = found("sampler", {"sampler": "gp"}, Level.NOTICE)
    proposals = propose(study, history, [method])
    assert proposals[0].study.sampler == "gp"


def test_a_study_that_is_planned_already_is_not_proposed_again() -> None:
    study, history = searched_lr()
    (first,) = propose(study, history, [EDGE], taken=["s"])
    again = propose(study, history, [EDGE], taken=["s", "s-2"])
    assert without_planned(again, [study, first.study]) == ()
    assert without_planned(again, [study]) == again


def test_nothing_is_proposed_without_results() -> None:
    study, history = searched_lr()
    assert propose(study, History(history.space, history.metric), []) == ()


@pytest.mark.parametrize("count", [8, 20, 101])
def test_the_gain_of_doubling_is_what_half_of_the_trials_missed(count: int) -> None:
    import itertools

    _, history = searched({"x": Float(0, 1)}, lambda p: p["x"] ** 2, count=count)
    losses = sorted(history.loss(trial) or 0.0 for trial in history.trials)
    gain = doubling_gain(history)
    assert gain is not None
    if count == 8:
        halves = list(itertools.combinations(losses, 4))
        expected = sum(min(half) for half in halves) / len(halves) - losses[0]
        assert gain == pytest.approx(expected)
    assert 0 < gain < losses[-1]


def test_two_ends_of_one_range_move_together() -> None:
    study, history = searched_lr()
    up = {"low": 1e-3, "high": 10.0, "log": True}
    down = {"low": 1e-5, "high": 1.0, "log": True}
    ends = [found("boundary", {"space": {"lr": own}}) for own in (up, down)]
    (proposal,) = propose(study, history, ends)
    assert proposal.study.search_space.domains["lr"] == Float(1e-5, 10.0, log=True)


def test_a_change_to_what_is_so_already_is_none() -> None:
    study, history = searched_lr()
    same = found("coverage", {"trials": 40, "space": {"lr": {"high": 1.0}}})
    assert aims(propose(study, history, [same])) == [Aim.NARROW]


def test_bounds_move_no_further_than_anybody_searches() -> None:
    space: dict[str, Domain] = {"lr": Float(1e-3, 1.0), "dropout": Float(0, 0.9)}
    study, history = searched(space, lambda p: -p["lr"])
    far = {"lr": {"high": 1000.0}, "dropout": {"high": 1.3}}
    (proposal,) = propose(study, history, [found("boundary", {"space": far})])
    domains = proposal.study.search_space.domains
    assert domains == {"lr": Float(1e-3, 10.0), "dropout": Float(0, 0.95)}


def test_a_bound_that_is_far_out_already_stays() -> None:
    study, history = searched({"lr": Float(1.0, 50.0)}, lambda p: -p["lr"])
    far = found("boundary", {"space": {"lr": {"high": 1000.0}}})
    assert aims(propose(study, history, [far])) == [Aim.NARROW]


def test_exploration_is_handed_over_although_no_region_stands_out() -> None:
    study, history = searched(SPACE, lambda p: 1.0)
    (proposal,) = propose(study, history, [])
    assert proposal.aim is Aim.NARROW
    assert proposal.study.search_space.domains == SPACE
    assert proposal.study.sampler == "auto"


def test_too_few_trials_to_tell_become_more_trials() -> None:
    study, history = searched_lr(count=10)
    said = Finding("boundary", Level.UNKNOWN, "Too few.", evidence={"missing": 6})
    (more,) = propose(study, history, [said])
    assert (more.study.name, more.study.trials) == ("s", 16)


def test_few_trials_are_not_exploited_and_the_best_is_to_be_confirmed_first() -> None:
    study, history = searched_lr(count=10)
    (look,) = propose(study, history, [])
    assert look.aim is Aim.TEST
    assert "danlu confirm" in look.reason


@pytest.mark.parametrize("fixed", [{"weight_decay": 1e-4}, {"l2": 1e-4}, {"wd": 1e-4}])
def test_what_is_fixed_is_not_added(fixed: dict[str, float]) -> None:
    space = {"x": danlu.Float(0, 1)}
    study = danlu.Study("s", "Which?", "val_loss", space, 10, fixed=fixed)

    assert {} == _change(study)


def test_a_change_that_does_not_fit_the_space_is_no_proposal() -> None:
    space = {"x": danlu.Float(0, 1)}
    study = danlu.Study("s", "Which?", "loss", space, 10, fixed={"y": 1.0})
    added = {"space": {"y": {"add": {"low": 0.0, "high": 1.0}}}}
    finding = danlu.Finding(
        "overfitting", danlu.Level.WARNING, "It does.", evidence={"change": added}
    )
    history = danlu.History(study.search_space, study.objective)

    assert () == propose(study, history, [finding])
