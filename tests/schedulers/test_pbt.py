"""Population-based training: generations, children, and the schedule that comes out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import danlu
from danlu import Choice, Float, Int, SearchSpace, State
from danlu.analysis import lineage, schedule_of
from danlu.client import LiveTrial
from danlu.errors import StudyError
from danlu.executors import Inline, Local
from danlu.project import Project
from danlu.schedulers import Pb2, Pbt, Resume, Scheduled, Start
from danlu.schedulers.explore import explored
from danlu.space import Params
from danlu.testing import check_scheduler
from danlu.trial import Curve, Trial
from tests.schedulers.one_slot import known

STEPS = 40
BOTH = pytest.mark.parametrize("kind", [Pbt, Pb2])


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with danlu.open(tmp_path / "tuning.db") as opened:
        yield opened


def expected_loss(lrs: list[float]) -> float:
    """SGD on a noisy parabola: the best lr falls like 1 / t."""
    variance = 100.0
    for lr in lrs:
        variance = (1 - lr) ** 2 * variance + lr**2
    return variance


def train(trial: LiveTrial) -> None:
    """Keeps every step's trial and lr in its checkpoint, and goes on from there."""
    saved = trial.checkpoint / "steps.json"
    steps = json.loads(saved.read_text()) if saved.exists() else []
    while len(steps) < (trial.budget or STEPS):
        steps.append([trial.number, trial.params["lr"]])
        saved.write_text(json.dumps(steps))
        loss = expected_loss([lr for _, lr in steps])
        if not trial.report(len(steps), loss=loss):
            return


def noisy(scheduler: danlu.Scheduler, trials: int = 200, seed: int = 0) -> danlu.Study:
    return danlu.Study(
        "noisy",
        "Which schedule of lr?",
        "loss",
        {"lr": Float(1e-3, 1.0, log=True)},
        trials=trials,
        max_steps=STEPS,
        scheduler=scheduler,
        sampler="quasi_random",
        seed=seed,
    )


def trained_by(project: Project, number: int) -> list[list[float]]:
    path = project.trial_folder("noisy", number) / "checkpoint" / "steps.json"
    steps: list[list[float]] = json.loads(path.read_text())
    return steps


def check_lineage(project: Project, history: danlu.History) -> None:
    """What each checkpoint went through is what the lineage says."""
    for trial in history.trials:
        stretches = schedule_of(history, trial.number)
        steps = trained_by(project, trial.number)
        for place, (number, lr) in enumerate(steps, 1):
            own = next(s for s in reversed(stretches) if s.from_step < place)
            assert (own.trial, own.params["lr"]) == (number, lr)
        assert len(steps) == trial.step


@BOTH
def test_a_schedule_is_found_that_beats_every_fixed_value(
    project: Project, kind: type[Pbt | Pb2]
) -> None:
    fixed = min(expected_loss([lr] * STEPS) for lr in np.geomspace(1e-3, 1, 500))

    history = project.run(noisy(kind(population=8, interval=2)), Inline(train))

    best = min(history.loss(t) or 9 for t in history.trials if t.step == STEPS)
    assert best < 0.75 * fixed


@BOTH
def test_every_child_goes_on_from_what_its_parent_was(
    project: Project, kind: type[Pbt | Pb2]
) -> None:
    history = project.run(noisy(kind(population=4, interval=5)), Inline(train))

    assert sum(trial.parent is not None for trial in history.trials) == 7
    check_lineage(project, history)


@BOTH
def test_at_the_end_nobody_is_left_paused(
    project: Project, kind: type[Pbt | Pb2]
) -> None:
    history = project.run(noisy(kind(population=4, interval=5)), Inline(train))

    ends = Counter(trial.state for trial in history.trials)
    assert ends == {State.COMPLETED: 4, State.STOPPED: 7}
    ended = [trial for trial in history.trials if trial.state is State.COMPLETED]
    assert {trial.step for trial in ended} == {STEPS}


@pytest.mark.parametrize("slots", [1, 2])
def test_slots_do_not_change_what_is_found(tmp_path: Path, slots: int) -> None:
    study = noisy(Pbt(population=3, interval=10))
    with danlu.open(tmp_path / "inline.db") as one:
        expected = one.run(study, Inline(train))
    with danlu.open(tmp_path / "local.db") as other:
        found = other.run(study, Local(train, slots=slots))
        check_lineage(other, found)

    assert [t.params for t in expected.trials] == [t.params for t in found.trials]
    assert [t.parent for t in expected.trials] == [t.parent for t in found.trials]


def test_when_the_trials_are_used_up_all_members_train_on(project: Project) -> None:
    study = noisy(Pbt(population=4, interval=5), trials=6)

    history = project.run(study, Inline(train))

    assert len(history.trials) == 6
    assert Counter(trial.step for trial in history.trials)[STEPS] == 4


def test_arms_have_populations_of_their_own(project: Project) -> None:
    study = replace(
        noisy(Pbt(population=3, interval=10)),
        space={"lr": Float(1e-3, 1.0, log=True), "kind": Choice(["a", "b"])},
        scientific=["kind"],
    )

    history = project.run(study, Inline(train))

    by_number = {trial.number: trial for trial in history.trials}
    for trial in history.trials:
        if trial.parent is not None:
            assert by_number[trial.parent].params["kind"] == trial.params["kind"]
    full = [t.params["kind"] for t in history.trials if t.step == STEPS]
    assert Counter(full) == {"a": 3, "b": 3}


def test_a_program_without_checkpoints_is_told(project: Project) -> None:
    def forgetful(trial: LiveTrial) -> None:
        for step in range(1, (trial.budget or STEPS) + 1):
            trial.report(step, loss=trial.number)

    with pytest.raises(StudyError, match="has no checkpoint for another trial"):
        project.run(noisy(Pbt(population=2, interval=10)), Inline(forgetful))


def test_a_member_that_diverges_is_replaced(project: Project) -> None:
    def fragile(trial: LiveTrial) -> None:
        if trial.number == 1:
            trial.report(1, loss=float("nan"))
            return
        train(trial)

    history = project.run(noisy(Pbt(population=4, interval=10)), Inline(fragile))

    assert history.trials[1].state is State.INFEASIBLE
    assert Counter(trial.step for trial in history.trials)[STEPS] == 4


def test_a_study_in_which_all_diverge_ends(project: Project) -> None:
    def broken(trial: LiveTrial) -> None:
        trial.report(1, loss=float("nan"))

    history = project.run(noisy(Pbt(population=3), trials=9), Inline(broken))

    assert {trial.state for trial in history.trials} == {State.INFEASIBLE}
    assert len(history.trials) == 9


@BOTH
def test_a_small_population_holds_the_contract(kind: type[Pbt | Pb2]) -> None:
    check_scheduler(kind(population=4, interval=2))


def member(number: int, loss: float, state: State = State.PAUSED) -> Trial:
    return Trial(
        number,
        {"x": 0.5},
        state,
        budget=3,
        scheduler_note={"member": number, "step": 0},
        curves={"loss": Curve.of({3: loss})},
    )


def test_the_last_fifth_is_replaced_by_children_of_the_first_fifth() -> None:
    history = known(*(member(n, n / 10) for n in range(10)))
    scheduler, parents = Pbt(population=10, interval=3), set()

    for seed in range(50):
        choice = scheduler.next(history, np.random.default_rng(seed))
        assert isinstance(choice, Start)
        assert choice.note == {"member": 8, "step": 3}
        parents.add(choice.parent)

    assert parents == {0, 1}


def test_a_tournament_replaces_who_met_a_better_one() -> None:
    scheduler = Pbt(population=10, interval=3, exploit="tournament")
    met = set()

    for seed in range(200):
        history = replace(known(*(member(n, n / 10) for n in range(10))), seed=seed)
        choices = [
            scheduler.next(history, np.random.default_rng(turn)) for turn in range(2)
        ]
        choice = choices[0]
        assert isinstance(choice, Start)
        assert isinstance(choices[1], Start)
        assert choice.note == choices[1].note  # the same whenever it is asked for
        loser, winner = choice.note["member"], choice.parent
        assert winner == choices[1].parent
        assert winner is not None
        assert winner < loser
        met.add((loser, winner))

    # Of ten the last always meets a better one, and any of the nine may be it.
    assert {(9, winner) for winner in range(9)} == met


def test_a_population_of_tournaments_finds_the_schedule_too(project: Project) -> None:
    fixed = min(expected_loss([lr] * STEPS) for lr in np.geomspace(1e-3, 1, 500))
    scheduler = Pbt(population=8, interval=2, exploit="tournament")

    history = project.run(noisy(scheduler, trials=400), Inline(train))

    check_lineage(project, history)
    best = min(history.loss(t) or 9 for t in history.trials if t.step == STEPS)
    assert best < 0.75 * fixed


def test_a_population_of_tournaments_holds_the_contract() -> None:
    check_scheduler(Pbt(population=4, interval=2, exploit="tournament"))


def test_nobody_goes_on_before_the_generation_is_complete() -> None:
    running = replace(member(1, 0.1), state=State.RUNNING)
    scheduler = Pbt(population=2, interval=3)

    choice = scheduler.next(known(member(0, 0.2), running), np.random.default_rng(0))

    assert choice is None


def test_equals_are_not_replaced() -> None:
    history = known(member(0, 0.5), member(1, 0.5))
    scheduler = Pbt(population=2, interval=3)

    choice = scheduler.next(history, np.random.default_rng(0))

    assert choice == Resume(0, 6)


SPACE = SearchSpace(
    {
        "lr": Float(1e-4, 1.0, log=True),
        "momentum": Float(0.0, 1.0),
        "width": Int(8, 512, log=True),
        "layers": Int(1, 4),
        "batch": Choice([32, 64, 128], ordered=True),
        "loss": Choice(["l1", "l2"]),
    }
)
PARENT: Params = {
    "lr": 0.01,
    "momentum": 0.5,
    "width": 100,
    "layers": 2,
    "batch": 64,
    "loss": "l1",
}


def test_perturbed_params_are_one_move_away() -> None:
    rng = np.random.default_rng(0)

    drawn = [explored(SPACE, PARENT, rng, resample=0.0) for _ in range(100)]

    values = {name: {params[name] for params in drawn} for name in PARENT}
    assert values == {
        "lr": {0.008, 0.012},
        "momentum": {0.4, 0.6},
        "width": {80, 120},
        "layers": {1, 3},
        "batch": {32, 128},
        "loss": {"l1"},
    }


def test_an_option_that_is_drawn_brings_its_own_params() -> None:
    space = SearchSpace({"opt": Choice({"sgd": {"momentum": Float(0, 1)}, "adam": {}})})
    rng = np.random.default_rng(0)

    drawn = [explored(space, {"opt": "adam"}, rng, resample=1.0) for _ in range(20)]

    assert all(params in space for params in drawn)
    assert {params["opt"] for params in drawn} == {"sgd", "adam"}


def test_a_schedule_that_was_found_can_be_trained_again(project: Project) -> None:
    history = project.run(noisy(Pbt(population=4, interval=5)), Inline(train))
    best = min(
        (trial for trial in history.trials if trial.step == STEPS),
        key=lambda trial: trial.curves["loss"].last,
    )
    schedule = [
        {"from_step": stretch.from_step, "params": dict(stretch.params)}
        for stretch in schedule_of(history, best.number)
    ]
    again = replace(
        noisy(Scheduled(schedule), trials=len(schedule)), name="again", seed=1
    )

    repeated = project.run(again, Inline(train))

    last = repeated.trials[-1]
    assert last.state is State.COMPLETED
    assert last.curves["loss"].last == best.curves["loss"].last
    assert len(lineage(repeated, last.number)) == len(schedule)


@pytest.mark.parametrize(
    "settings",
    [
        {"population": 1},
        {"interval": 0},
        {"share": 0.6},
        {"resample": 2},
        {"exploit": "best"},
    ],
)
def test_an_impossible_setting_is_told(settings: dict[str, object]) -> None:
    with pytest.raises(StudyError, match="Pbt needs"):
        Pbt(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "schedule", [[{"params": {}}], [{"from_step": 3, "params": {"lr": 1}}], ["lr"]]
)
def test_an_impossible_schedule_is_told(schedule: list[object]) -> None:
    with pytest.raises(StudyError, match="schedule"):
        Scheduled(schedule)  # type: ignore[arg-type]
