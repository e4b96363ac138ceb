from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from danlu.domain import Belief, Choice, Float, Int
from danlu.errors import SamplerError
from danlu.history import History
from danlu.ledger import Ledger
from danlu.metric import Metric
from danlu.samplers import CmaEs, Suggestion, cma_es
from danlu.samplers.cma_es import categories, gaussian, margin, restarts
from danlu.space import Params, SearchSpace
from danlu.testing import check_sampler
from danlu.trial import Curve, Kind, State, Trial

REALS = SearchSpace({f"x{n}": Float(-5, 5) for n in range(5)})
MIXED = SearchSpace(
    {
        "x": Float(-5, 5),
        "n": Int(-10, 10),
        "kind": Choice({"a": {}, "b": {"y": Float(-5, 5)}, "c": {}}),
        "size": Choice([1, 2, 4, 8], ordered=True),
    }
)
METRIC = Metric("loss")


def sphere(params: Params) -> float:
    return sum((float(x or 0) - 1) ** 2 for x in params.values())


def mixed(params: Params) -> float:
    off = {"a": 3.0, "b": (float(params.get("y") or 0) - 2) ** 2, "c": 2.0}
    x, n, size = (float(params[name] or 0) for name in ("x", "n", "size"))
    return (x - 1) ** 2 + (n - 7) ** 2 + (size - 4) ** 2 + off[str(params["kind"])]


def asked(space: SearchSpace, trials: Sequence[Trial], seed: int = 0) -> Suggestion:
    history = History(space, METRIC, trials, seed=seed, position=len(trials))
    return CmaEs().ask(history, np.random.default_rng([seed, len(trials)]))


def ended(number: int, suggestion: Suggestion, loss: float) -> Trial:
    return Trial(
        number,
        suggestion.params,
        State.COMPLETED,
        sampler_note=suggestion.note,
        curves={"loss": Curve.of({1: loss})},
        ended_s=float(number),
    )


def searched(
    space: SearchSpace, loss: Callable[[Params], float], count: int, seed: int = 0
) -> list[Trial]:
    trials: list[Trial] = []
    for number in range(count):
        suggestion = asked(space, trials, seed)
        trials.append(ended(number, suggestion, loss(suggestion.params)))
    return trials


def losses(trials: Sequence[Trial]) -> list[float]:
    return [float(trial.curves["loss"].values[0]) for trial in trials]


def generations(trials: Sequence[Trial]) -> list[int]:
    return [trial.sampler_note["generation"] for trial in trials]


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    cma_es._REPLAYS.clear()


def test_it_holds_the_contract() -> None:
    check_sampler(CmaEs())
    check_sampler(CmaEs(population=4))


def test_a_population_of_three_is_refused() -> None:
    with pytest.raises(SamplerError, match="at least 4, got 3"):
        CmaEs(population=3)


def test_weights_and_rates_are_those_of_hansens_table_1() -> None:
    own = gaussian.rates(2, 6)  # by hand: ln 3.5 - ln(1, 2, 3) / sum = .637, .285, .078

    assert own.weights[:3].round(3).tolist() == [0.637, 0.285, 0.078]
    assert own.weights[:3].sum() == pytest.approx(1)
    assert own.mu_eff == pytest.approx(2.029, abs=1e-3)  # eq. 8
    assert own.c_sigma == pytest.approx(4.029 / 9.029, abs=1e-3)  # eq. 55
    assert own.d_sigma == pytest.approx(1 + own.c_sigma)
    assert own.c_c == pytest.approx(5.0143 / 8.0286, abs=1e-3)  # eq. 56
    assert own.c_1 == pytest.approx(2 / (3.3**2 + 2.029), abs=1e-3)  # eq. 57
    gain = 0.25 + 2.029 + 1 / 2.029 - 2
    assert own.c_mu == pytest.approx(2 * gain / (16 + 2.029), abs=1e-3)  # eq. 58


def test_negative_weights_leave_the_covariance_positive() -> None:
    own = gaussian.rates(2, 6)

    least = 1 - own.c_1 - own.c_mu * own.weights.sum()
    taken = -2 * own.c_mu * own.weights[3:].sum()  # n times eq. 47's part, by eq. 46

    assert (own.weights[3:] < 0).all()
    assert least - taken >= -1e-12


def test_one_generation_is_updated_as_equations_41_to_47_say() -> None:
    own = gaussian.rates(1, 4)
    before = gaussian.start(np.array([0.5]), 0.1, np.eye(1))
    y = np.array([[1.0], [2.0], [-1.0], [-2.0]])

    after = gaussian.updated(before, y, own)

    step = own.weights[0] * 1 + own.weights[1] * 2  # eq. 41
    p_sigma = math.sqrt(own.c_sigma * (2 - own.c_sigma) * own.mu_eff) * step  # eq. 43
    length = abs(p_sigma) / own.expected_length
    growth = math.exp(own.c_sigma / own.d_sigma * (length - 1))  # eq. 44
    p_c = math.sqrt(own.c_c * (2 - own.c_c) * own.mu_eff) * step  # eq. 45
    w = own.weights
    rank_mu = w[0] * 1 + w[1] * 4 + w[2] + w[3]  # eq. 46: w y^2 n / y^2, n = 1
    kept = 1 - own.c_1 - own.c_mu * w.sum()
    assert after.mean[0] == pytest.approx(0.5 + 0.1 * step)  # eq. 42
    assert after.sigma == pytest.approx(0.1 * growth)
    assert after.p_c[0] == pytest.approx(p_c)
    expected = kept + own.c_1 * p_c**2 + own.c_mu * rank_mu  # eq. 47
    assert after.covariance[0, 0] == pytest.approx(expected)


def test_a_sphere_is_solved_in_a_hundred_generations() -> None:
    trials = searched(REALS, sphere, 700)

    assert min(losses(trials)) < 1e-6


def test_real_whole_ordered_and_conditional_params_are_found_together() -> None:
    trials = searched(MIXED, mixed, 600)

    best = min(trials, key=lambda trial: losses([trial])[0])
    assert best.params["kind"] == "b"
    assert (best.params["n"], best.params["size"]) == (7, 4)
    assert losses([best])[0] < 1e-3


def test_neighbors_of_a_whole_number_keep_their_probability() -> None:
    edges, alpha = [0.2, 0.4, 0.6, 0.8], 0.05

    mean, width = margin.corrected(0.5, 1e-6, edges, alpha)

    below = margin._NORMAL.cdf((0.4 - mean) / width)
    above = 1 - margin._NORMAL.cdf((0.6 - mean) / width)
    assert below == pytest.approx(alpha / 2, rel=0.1)
    assert above == pytest.approx(alpha / 2, rel=0.1)


def test_the_only_neighbor_of_an_outer_value_keeps_its_probability() -> None:
    mean, width = margin.corrected(0.9, 0.01, [0.2, 0.8], 0.05)

    assert margin._NORMAL.cdf((0.8 - mean) / width) == pytest.approx(0.05)
    assert width == 0.01


def test_a_wide_distribution_needs_no_margin() -> None:
    assert margin.corrected(0.5, 0.3, [0.4, 0.6], 0.05) == (0.5, 0.3)


def test_chances_move_to_the_chosen_options_and_keep_the_margin() -> None:
    before = categories.start([np.full(3, 1 / 3), np.full(2, 0.5)])
    weights = np.array([0.7, 0.3])

    after = before
    for _ in range(60):
        after = categories.updated(after, [[1, None], [1, None]], weights)

    least = (1 - 0.73 ** (1 / 2)) / 2  # CatCMA: two choices, three options
    assert after.chances[0] == pytest.approx([least, 1 - 2 * least, least])
    assert after.chances[1] == pytest.approx([0.5, 0.5])


def test_a_rebuilt_answer_is_the_one_of_a_process_that_kept_its_replay() -> None:
    trials = searched(MIXED, mixed, 60)

    kept = [asked(MIXED, trials[:n]) for n in range(40, 60)]
    for n, suggestion in enumerate(kept, 40):
        cma_es._REPLAYS.clear()
        assert asked(MIXED, trials[:n]) == suggestion
    assert kept == [Suggestion(t.params, t.sampler_note) for t in trials[40:]]


def test_another_past_under_the_same_name_is_not_taken_for_this_one() -> None:
    one, other = searched(REALS, sphere, 30), searched(REALS, lambda p: -sphere(p), 30)
    cma_es._REPLAYS.clear()
    fresh = asked(REALS, other)
    cma_es._REPLAYS.clear()

    asked(REALS, one)

    assert asked(REALS, other) == fresh


def test_a_trial_that_ended_earlier_than_those_known_is_put_in_its_place() -> None:
    trials = searched(REALS, sphere, 20)
    late = replace(ended(20, asked(REALS, []), -1.0), ended_s=2.5)

    kept = asked(REALS, [*trials, late])
    cma_es._REPLAYS.clear()

    assert asked(REALS, [*trials, late]) == kept
    assert asked(REALS, [*trials, replace(late, ended_s=20.0)]) != kept


def test_a_study_with_a_ledger_is_asked_as_one_with_a_list() -> None:
    trials, ledger = searched(MIXED, mixed, 40), Ledger()

    for n, trial in enumerate(trials):
        assert asked(MIXED, ledger) == Suggestion(trial.params, trial.sampler_note), n
        ledger.keep(Trial(n, trial.params, sampler_note=trial.sampler_note))
        ledger.keep(trial)


def test_a_generation_is_open_until_its_population_has_ended() -> None:
    trials = searched(REALS, sphere, 17)

    assert generations(trials) == [0] * 8 + [1] * 8 + [2]


def test_workers_beyond_the_population_draw_from_the_same_generation() -> None:
    running = [
        Trial(n, s.params, sampler_note=s.note)
        for n, s in enumerate(asked(REALS, [], seed) for seed in range(20))
    ]

    more = asked(REALS, running)

    assert more.note["generation"] == 0
    assert more.params not in [trial.params for trial in running]


def test_many_workers_that_end_out_of_order_still_solve_a_sphere() -> None:
    rng, trials, running = np.random.default_rng(0), list[Trial](), list[int]()
    for number in range(1200):
        suggestion = asked(REALS, trials)
        trials.append(Trial(number, suggestion.params, sampler_note=suggestion.note))
        running.append(number)
        if len(running) == 12:
            own = trials[running.pop(int(rng.integers(12)))]
            known = Suggestion(own.params, own.sampler_note)
            done = ended(own.number, known, sphere(own.params))
            trials[own.number] = replace(done, ended_s=float(number))

    done_losses = losses([trial for trial in trials if trial.state.ended])
    assert min(done_losses) < 1e-5


def test_failed_trials_take_no_part_and_infeasible_ones_are_last() -> None:
    trials = searched(REALS, sphere, 7)
    eighth = ended(7, asked(REALS, trials), 0.0)
    worst = ended(7, Suggestion(eighth.params, eighth.sampler_note), 1e9)

    failed = asked(REALS, [*trials, replace(eighth, state=State.FAILED)])
    infeasible = asked(REALS, [*trials, replace(eighth, state=State.INFEASIBLE)])

    assert failed.note["generation"] == 0
    assert infeasible == asked(REALS, [*trials, worst])


def test_params_of_somebody_else_are_learned_from() -> None:
    space = SearchSpace({"x": Float(0, 1), "y": Float(0, 1)})
    points = [{"x": 0.9 + n / 100, "y": 0.9} for n in range(8)]
    told = [ended(n, Suggestion(p), -n) for n, p in enumerate(points)]

    assert asked(space, told).note["generation"] == 1
    assert cma_es._REPLAYS[(None, METRIC, 0, ())].run.normal.mean.min() > 0.6


def test_a_flat_loss_starts_a_new_run_with_twice_the_population() -> None:
    space = SearchSpace({"x": Float(0, 1), "y": Float(0, 1)})

    trials = searched(space, lambda _: 1.0, 160)

    runs = [trial.sampler_note["restart"] for trial in trials]
    assert max(runs) == 1
    assert cma_es._REPLAYS[(None, METRIC, 0, ())].run.plan.population == 12


def test_small_and_large_populations_spend_about_the_same() -> None:
    plan, rng, shares = restarts.Plan(0, 6), np.random.default_rng(0), []
    while plan.doublings < 6:
        doublings, spent = plan.doublings, int(min(plan.most, 100 * plan.population))
        plan = restarts.next_plan(plan, 6, spent, rng)
        if plan.doublings > doublings > 0:
            shares.append(plan.small / (plan.small + plan.large))

    assert len(shares) == 5
    assert 0.5 <= min(shares)
    assert max(shares) < 0.6


def test_a_belief_sets_where_and_how_wide_the_search_starts() -> None:
    believed = SearchSpace({"x": Float(0, 1, belief=Belief(0.2, confidence=0.9))})

    firsts = [float(asked(believed, [], n).params["x"] or 0) for n in range(200)]

    assert np.mean(firsts) == pytest.approx(0.23, abs=0.04)  # 0.9 * 0.2 + 0.1 * 0.5
    assert np.std(firsts) < 0.2  # 0.29 without a belief


def test_a_note_is_small_json() -> None:
    wide = SearchSpace({f"n{k}": Int(0, 9) for k in range(80)})
    wider = SearchSpace({f"n{k}": Int(0, 9) for k in range(90)})

    for space in (MIXED, wide, wider):
        note = dict(asked(space, []).note)
        assert len(json.dumps(note)) < 1000
        assert json.loads(json.dumps(note)) == note


def test_trials_that_confirm_others_are_no_members_of_a_generation() -> None:
    trials = searched(REALS, sphere, 5)
    again = [
        replace(trials[0], number=5 + n, kind=Kind.CONFIRM, ended_s=5.0 + n)
        for n in range(20)
    ]

    assert 0 == asked(REALS, [*trials, *again]).note["generation"]


def test_a_loss_of_a_short_training_is_not_compared_with_one_of_a_long_one() -> None:
    """Half of the trials are stopped, and their losses say the opposite."""

    def told(number: int, suggestion: Suggestion) -> Trial:
        off = sphere(suggestion.params)
        is_stopped = number % 2 == 0
        return Trial(
            number,
            suggestion.params,
            State.STOPPED if is_stopped else State.COMPLETED,
            sampler_note=suggestion.note,
            curves={"loss": Curve.of({1: -off} if is_stopped else {9: off})},
            ended_s=float(number),
        )

    trials: list[Trial] = []
    for number in range(300):
        trials.append(told(number, asked(REALS, trials)))

    ends = [
        trial.curves["loss"].values[-1] for trial in trials[-20:] if trial.step == 9
    ]
    assert np.median(ends) < 10  # 47 at random
