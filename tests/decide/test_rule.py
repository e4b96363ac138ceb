from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

import danlu
from danlu import Decision, Float, Kind, Metric, Ruling, State, Study, Trial
from danlu.codec import decision_from_json, decision_to_json
from danlu.decide.confirm import contenders
from danlu.decide.decision import Baseline, NextStudy
from danlu.decide.rule import Terms, certainty, decide
from danlu.errors import StudyError
from danlu.executors import Inline
from danlu.jsontext import dumps, loads
from danlu.project import Project

STUDY = Study("s", "Is it better?", "err", {"x": Float(0, 9)}, 9, fixed={"epochs": 3})
BASELINE = Baseline({"x": 0.0, "epochs": 3}, "study 's'")
# What seeds do, in the mean nothing over the first 5: to the baseline and others.
LUCK = np.array([0.05, -0.05, 0.025, -0.025, 0, 0.04, -0.04, 0.02, -0.02, 0, 0.03])
SEEDS = np.outer([1, -1, 0.5, -0.5], LUCK)


def runs(
    means: Mapping[float, float], seeds: int, **changes: object
) -> Iterator[Trial]:
    """Confirming trials of configurations with these mean errors; 0 is the baseline."""
    for place, (x, mean) in enumerate(means.items()):
        for seed in range(seeds):
            yield trial(x, seed, mean + SEEDS[place, seed], **changes)


def trial(x: float, seed: int, err: float, **changes: object) -> Trial:
    return Trial(
        number=int(100 * x + seed),
        params={"x": x, "epochs": 3},
        seed=seed,
        **{
            "kind": Kind.CONFIRM,
            "state": State.COMPLETED,
            "curves": {"err": danlu.Curve.of({1: err}), "size": danlu.Curve.of({1: x})},
            **changes,
        },  # type: ignore[arg-type]
    )


def decided(
    trials: Sequence[Trial] | Iterator[Trial],
    *,
    study: Study = STUDY,
    baseline: Baseline | None = BASELINE,
    **terms: object,
) -> Decision:
    history = danlu.History(study.search_space, study.objective, tuple(trials))
    return decide(study, history, baseline, **terms)  # type: ignore[arg-type]


def test_a_clear_gain_is_adopted() -> None:
    decision = decided(runs({0.0: 0.5, 1.0: 0.2, 2.0: 0.4}, 5))

    assert decision.ruling is Ruling.ADOPT
    assert decision.params == {"x": 1.0, "epochs": 3}
    assert decision.gain is not None
    assert 0 < decision.gain.low < 0.3 < decision.gain.high
    assert decision.gain.paired
    assert "trial" not in decision.caveats[0]


def test_more_is_better_where_the_metric_is_to_be_large() -> None:
    study = replace(STUDY, metric=Metric("err", maximize=True))

    decision = decided(runs({0.0: 0.5, 1.0: 0.8}, 5), study=study)

    assert decision.ruling is Ruling.ADOPT
    assert decision.gain is not None
    assert decision.gain.value > 0


def test_what_is_worse_is_rejected() -> None:
    assert decided(runs({0.0: 0.2, 1.0: 0.5}, 5)).ruling is Ruling.REJECT


def test_a_gain_must_be_above_its_cost() -> None:
    trials = list(runs({0.0: 0.5, 1.0: 0.2}, 5))

    assert decided(trials, terms=Terms(complexity=0.1)).ruling is Ruling.ADOPT
    assert decided(trials, terms=Terms(complexity=0.5)).ruling is Ruling.REJECT


def test_a_gain_that_few_more_seeds_could_show_gets_them() -> None:
    decision = decided(runs({0.0: 0.5, 1.0: 0.435}, 5))

    assert decision.ruling is Ruling.MORE
    assert decision.missing_seeds is not None
    assert 1 <= decision.missing_seeds <= 15


def test_a_gain_too_small_to_be_shown_is_given_up() -> None:
    decision = decided(runs({0.0: 0.5, 1.0: 0.48}, 7), terms=Terms(most_seeds=9))

    assert decision.ruling is Ruling.REJECT


def test_nothing_is_said_before_all_runs_have_ended() -> None:
    trials = [*runs({0.0: 0.5, 1.0: 0.2}, 5), trial(1.0, 7, 0.1, state=State.RUNNING)]

    decision = decided(trials)

    assert decision.ruling is Ruling.MORE
    assert decision.reason == "1 of the confirming runs have not ended"


def test_without_any_result_no_seeds_are_asked_for() -> None:
    failed = trial(1.0, 0, 0.1, kind=Kind.SEARCH, state=State.FAILED)

    decision = decided([failed], baseline=None)

    assert (decision.ruling, decision.missing_seeds) == (Ruling.MORE, None)
    assert "no trial has a result" in decision.reason


def test_a_program_that_ignores_its_seed_is_told_so() -> None:
    same = [trial(x, seed, x) for x in (0.0, 1.0) for seed in range(3)]
    warning = "No seed makes any difference to err"

    assert any(own.startswith(warning) for own in decided(same).caveats)
    moved = [*same[:-1], trial(1.0, 2, 1.5)]
    assert not any(own.startswith(warning) for own in decided(moved).caveats)


def test_one_seed_alone_says_nothing() -> None:
    decision = decided(runs({0.0: 0.5, 1.0: 0.2}, 1))

    assert (decision.ruling, decision.missing_seeds) == (Ruling.MORE, 4)
    assert decision.total_seeds == 5


def test_the_baseline_must_have_been_run_too() -> None:
    decision = decided(runs({1.0: 0.2}, 5))

    assert decision.ruling is Ruling.MORE
    assert "the baseline was not run" in decision.reason
    assert decision.total_seeds == 5


def test_without_a_baseline_the_best_becomes_it() -> None:
    decision = decided(runs({1.0: 0.5, 2.0: 0.2}, 5), baseline=None)

    assert decision.ruling is Ruling.ADOPT
    assert decision.params == {"x": 2.0, "epochs": 3}
    assert decision.gain is None
    assert "no baseline to beat" in decision.reason


def test_a_candidate_that_diverges_on_a_seed_is_left_out() -> None:
    diverged = trial(1.0, 7, 0.1, state=State.INFEASIBLE)
    trials = [*runs({0.0: 0.5, 1.0: 0.1, 2.0: 0.2}, 5), diverged]

    decision = decided(trials)

    assert decision.params == {"x": 2.0, "epochs": 3}
    assert any("infeasible on 1 of 6 fresh seeds" in own for own in decision.caveats)


def test_if_all_diverge_all_are_rejected() -> None:
    trials = [*runs({0.0: 0.5}, 3), *runs({1.0: 0.1}, 3, state=State.INFEASIBLE)]

    assert decided(trials).ruling is Ruling.REJECT


def test_a_baseline_that_always_diverges_is_beaten_by_any_result() -> None:
    trials = [*runs({0.0: 0.5}, 3, state=State.INFEASIBLE), *runs({1.0: 0.1}, 3)]

    decision = decided(trials)

    assert decision.ruling is Ruling.ADOPT
    assert decision.gain is None


def test_a_pair_of_which_one_run_failed_does_not_count() -> None:
    trials = list(runs({0.0: 0.5, 1.0: 0.2}, 6))
    trials[2] = replace(trials[2], state=State.FAILED)

    decision = decided(trials)

    assert decision.gain is not None
    assert decision.gain.seeds == 5
    assert any("--retry-failed" in own for own in decision.caveats)


def test_runs_on_different_seeds_are_compared_unpaired() -> None:
    other = [replace(own, seed=own.seed + 50) for own in runs({1.0: 0.2}, 5)]

    decision = decided([*runs({0.0: 0.5}, 5), *other])

    assert decision.ruling is Ruling.ADOPT
    assert decision.gain is not None
    assert not decision.gain.paired


def test_seeds_of_the_best_alone_count_too() -> None:
    trials = list(runs({0.0: 0.5, 1.0: 0.45, 2.0: 0.48}, 5))
    more = [own for own in runs({0.0: 0.5, 1.0: 0.45}, 10) if own.seed >= 5]

    before, after = decided(trials).gain, decided([*trials, *more]).gain

    assert before is not None
    assert after is not None
    assert (before.seeds, after.seeds) == (5, 10)
    assert after.high - after.low < before.high - before.low


def test_one_with_fewer_seeds_does_not_cost_the_others_theirs() -> None:
    trials = [*runs({0.0: 0.5, 1.0: 0.2}, 6), *runs({2.0: 0.4}, 2)]

    decision = decided(trials)

    assert decision.gain is not None
    assert decision.gain.seeds == 6


def test_each_look_asks_for_more_and_all_together_stay_below_the_rate() -> None:
    asked = [certainty(look) for look in range(1, 1000)]

    assert asked == sorted(asked)
    assert sum(1 - own for own in asked) <= 0.05


def test_only_looks_at_other_seeds_count() -> None:
    trials = list(runs({0.0: 0.5, 1.0: 0.45}, 5))
    first = decided(trials)

    again = decided(trials, earlier=[first, first])
    later = decided(runs({0.0: 0.5, 1.0: 0.45}, 8), earlier=[first])

    assert (again.look, later.look) == (1, 2)
    adopted = replace(first, ruling=Ruling.ADOPT)
    assert decided(trials, earlier=[first, adopted]).look == 1


def test_a_guard_is_kept_or_the_winner_stays_out() -> None:
    trials = list(runs({0.0: 0.5, 1.0: 0.2}, 5))

    kept = decided(trials, terms=Terms(guards=("size <= baseline + 1",)))
    broken = decided(trials, terms=Terms(guards=("size <= 0.5",)))
    unknown = decided(trials, terms=Terms(guards=("latency >= baseline - 2",)))

    assert kept.ruling is Ruling.ADOPT
    assert broken.ruling is Ruling.REJECT
    assert (broken.guards[0].value, broken.guards[0].limit) == (1.0, 0.5)
    assert unknown.ruling is Ruling.REJECT


def test_the_guards_of_the_study_hold_unless_others_are_named() -> None:
    trials = list(runs({0.0: 0.5, 1.0: 0.2}, 5))
    stated = replace(STUDY, guards=["size <= 0.5"])

    kept = decided(trials, study=stated, terms=Terms(guards=("size <= 2",)))

    assert decided(trials, study=stated).ruling is Ruling.REJECT
    assert kept.ruling is Ruling.ADOPT
    assert [own.text for own in kept.guards] == ["size <= 2"]
    assert decided(trials, study=stated, terms=Terms(guards=())).guards == ()


def test_a_guard_by_the_baseline_waits_until_there_is_one() -> None:
    stated = replace(STUDY, guards=["size <= baseline", "size <= 3"])

    first = decided(runs({1.0: 0.2}, 5), study=stated, baseline=None)

    assert first.ruling is Ruling.ADOPT
    assert [own.text for own in first.guards] == ["size <= 3"]
    assert "'size <= baseline' takes a baseline" in first.caveats[-1]


@pytest.mark.parametrize("text", ["size", "size < 3", "size <= baseline * 2", "<= 3"])
def test_what_is_no_guard_is_refused(text: str) -> None:
    with pytest.raises(StudyError, match=r"guard|constraint"):
        decided(runs({0.0: 0.5, 1.0: 0.2}, 5), terms=Terms(guards=(text,)))


@pytest.mark.parametrize("complexity", [-1.0, float("nan"), float("inf")])
def test_a_cost_is_a_number_from_0(complexity: float) -> None:
    with pytest.raises(StudyError, match="complexity"):
        Terms(complexity=complexity)


def test_what_was_fixed_limits_the_conclusion() -> None:
    caveats = decided(runs({0.0: 0.5, 1.0: 0.2}, 5)).caveats

    assert caveats[0] == "It holds for epochs=3, which was fixed."


def test_a_decision_is_kept_as_it_is() -> None:
    decision = replace(
        decided(runs({0.0: 0.5, 1.0: 0.2}, 5), terms=Terms(guards=("size <= 3",))),
        next_studies=(NextStudy("s-2", "More."),),
    )

    assert decision_from_json(loads(dumps(decision_to_json(decision)))) == decision


def train(trial: danlu.client.LiveTrial) -> None:
    x = float(trial.params["x"])  # type: ignore[arg-type]
    trial.report(1, err=(x - 3) ** 2 + trial.seed % 97 / 1e3)


def confirmed(project: Project, **changes: object) -> Study:
    study = project.plan(replace(STUDY, sampler="random", **changes))  # type: ignore[arg-type]
    project.run(study, Inline(train))
    project.confirm(study, top=2, seeds=5)
    project.run(study, Inline(train))
    return study


def test_the_project_remembers_what_was_decided_by_whom_and_when() -> None:
    with danlu.open(":memory:") as project:
        study = confirmed(project, baseline={"x": 9.0})
        decision = project.decide(study)

        assert decision.ruling is Ruling.ADOPT
        assert "@" in decision.who
        assert decision.written_s is not None
        assert project.decisions() == (decision,)
        assert project.decisions("s") == (decision,)
        assert project.baseline() == decision


def test_the_same_evidence_is_recorded_once() -> None:
    with danlu.open(":memory:") as project:
        study = confirmed(project)

        assert project.decide(study) == project.decide(study)
        assert len(project.decisions()) == 1


def test_a_rollback_is_a_record_and_the_one_before_holds_again() -> None:
    with danlu.open(":memory:") as project:
        first = project.decide(confirmed(project))
        other = confirmed(project, name="t", seed=1, space={"x": Float(0, 4)})
        second = project.decide(other, ruling=Ruling.ADOPT, why="simpler")

        assert second.baseline is not None
        assert second.baseline.params == first.params
        assert project.baseline() == second
        back = project.rollback("it broke the build")
        assert project.baseline() == first
        assert (back.ruling, back.rolls_back) == (Ruling.ROLLBACK, second.number)
        assert project.decisions("t") == (second, back)
        project.rollback()
        assert project.baseline() is None
        with pytest.raises(StudyError, match="nothing is adopted"):
            project.rollback()


def test_a_ruling_by_hand_says_why() -> None:
    with danlu.open(":memory:") as project:
        study = confirmed(project)

        with pytest.raises(StudyError, match="needs a reason"):
            project.decide(study, ruling=Ruling.REJECT)
        decision = project.decide(study, ruling=Ruling.REJECT, why="too slow")
        assert (decision.by_hand, decision.why) == (True, "too slow")
        assert project.baseline() is None


def test_nothing_unconfirmed_is_adopted() -> None:
    with danlu.open(":memory:") as project:
        study = project.plan(STUDY)

        with pytest.raises(StudyError, match="no single candidate"):
            project.decide(study, ruling=Ruling.ADOPT, why="I feel lucky")


def test_decisions_outlive_the_process(tmp_path: object) -> None:
    with danlu.open(f"{tmp_path}/tuning.db") as project:
        decision = project.decide(confirmed(project))
    with danlu.open(f"{tmp_path}/tuning.db") as project:
        assert project.baseline() == decision


def test_nothing_is_adopted_where_the_baseline_s_runs_failed() -> None:
    failed = runs({0: 1.0}, 5, state=State.FAILED, curves={})

    found = decided([*failed, *runs({1: 0.5}, 5)])

    assert Ruling.MORE is found.ruling
    assert "the baseline has no result on fresh seeds" in found.reason


def test_a_baseline_that_diverged_is_not_called_missing() -> None:
    lost = runs({0: 1.0}, 5, state=State.INFEASIBLE, curves={})

    found = decided([*lost, *runs({1: 0.5}, 5)])

    assert Ruling.ADOPT is found.ruling
    assert "the baseline diverged or broke a limit on every seed" in found.reason


def test_runs_that_failed_do_not_count_for_a_guard() -> None:
    off = {"err": danlu.Curve.of({1: 9.0}), "size": danlu.Curve.of({1: 99.0})}
    failed = trial(1, 7, 9.0, state=State.FAILED, curves=off)

    found = decided(
        [*runs({0: 1.0, 1: 0.5}, 5), failed], terms=Terms(guards=("size <= 2",))
    )

    assert (Ruling.ADOPT, 1.0) == (found.ruling, found.guards[0].value)


def test_what_is_clearly_worse_is_rejected_on_few_seeds() -> None:
    found = decided(runs({0: 0.5, 1: 1.5}, 3))

    assert Ruling.REJECT is found.ruling


def test_the_baseline_is_no_rival_of_itself() -> None:
    searched = [
        trial(x, 50, err, kind=Kind.SEARCH) for x, err in ((0.0, 0.1), (1.0, 0.5))
    ]
    history = danlu.History(STUDY.search_space, STUDY.objective, searched)

    (chosen,) = contenders(STUDY, history, 1, BASELINE)

    assert 1.0 == chosen.params["x"]


def test_a_study_of_the_baseline_alone_is_rejected() -> None:
    alone = [trial(0.0, 50, 0.1, kind=Kind.SEARCH), *runs({0: 0.1}, 5)]

    found = decided(alone)

    assert Ruling.REJECT is found.ruling
    assert "no params but the baseline's have a result" in found.reason


def test_seeds_that_are_equal_to_the_last_digit_are_told_shortly() -> None:
    equal = [trial(x, seed, 0.25) for x in (0.0, 1.0) for seed in range(5)]

    assert len(decided(equal).reason) < 200
