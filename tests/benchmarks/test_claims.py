from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks import claims
from benchmarks.claim_methods import (
    Axis,
    Method,
    Race,
    factor_cell,
    gaps,
    interval,
    one_by_one,
    tuned,
    verdict,
)
from benchmarks.claim_tasks import ClaimTask, Trainings, claim_tasks, tracks_of

SGD = {"optimizer": "sgd", "lr": 0.5}


def blobs() -> dict[str, tuple[Tensor, Tensor]]:
    """Two classes, one coordinate apart."""
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(64) % 2
    X = torch.randn(64, 2, generator=draw)
    X[:, 0] += 3.0 * y
    return dict.fromkeys(("train", "val", "test"), (X, y))


TASK = ClaimTask("blobs", blobs, lambda _: nn.Linear(2, 2), 20, 16)


@pytest.fixture
def trainings(tmp_path: Path) -> Trainings:
    return Trainings({"blobs": TASK}, tmp_path / "claims.jsonl")


def test_an_interval_is_that_of_students_t() -> None:
    mean, half = interval([1.0, 2.0, 3.0])

    assert mean == 2.0
    assert half == pytest.approx(4.3027 / math.sqrt(3), rel=1e-4)  # t(0.975, 2)


def test_a_verdict_needs_the_whole_interval_on_one_side() -> None:
    assert verdict([-1.0, -1.1, -0.9]) == "holds"
    assert verdict([1.0, 1.1, 0.9]) == "does not hold"
    assert verdict([-1.0, 1.1, 0.9]) == "open"
    assert verdict([1.0, 1.1, 0.9], margin=2.0) == "holds"
    assert verdict([-1.0]) == "open"


def test_ratios_are_averaged_as_logarithms() -> None:
    assert factor_cell([math.log(2.0)] * 3) == "2.00 (2.00 to 2.00)"


def test_a_grid_grows_until_its_best_cell_is_inside() -> None:
    def score(cell: Mapping[str, Any]) -> float:
        return abs(math.log(float(cell["lr"]) / 0.4))

    best, scores = tuned(score, [Axis("lr", (0.05, 0.1), 2.0)])

    assert best == {"lr": 0.4}
    assert sorted(rate for (rate,) in scores) == [0.05, 0.1, 0.2, 0.4, 0.8]


def test_a_grid_does_not_grow_for_ever() -> None:
    best, scores = tuned(lambda cell: -cell["lr"], [Axis("lr", (1.0, 2.0), 2.0)])

    assert best == {"lr": 32.0}
    assert len(scores) == 6


def test_both_axes_of_a_grid_grow() -> None:
    def score(cell: Mapping[str, Any]) -> float:
        return abs(float(cell["lr"]) - 4) + abs(float(cell["weight_decay"]) - 0.5)

    axes = [Axis("lr", (1.0, 2.0), 2.0), Axis("weight_decay", (1.0, 2.0), 2.0)]

    assert tuned(score, axes)[0] == {"lr": 4.0, "weight_decay": 0.5}


def test_where_rate_and_decay_are_independent_nothing_is_lost_one_by_one() -> None:
    independent = {
        (x, y): (x - 1.0) ** 2 + (y - 1.0) ** 2 for x in range(3) for y in range(3)
    }
    diagonal = {(x, y): 3.0 * abs(x - y) + x for x in range(3) for y in range(3)}

    assert one_by_one(independent) == 0.0
    assert one_by_one(diagonal) == pytest.approx(1.0)  # from 0, 1 and 2: ends there


def test_a_training_that_was_done_is_not_done_again(tmp_path: Path) -> None:
    results = tmp_path / "claims.jsonl"
    first = Trainings({"blobs": TASK}, results)
    ended = first.ended("blobs", SGD, seed=0)
    with results.open("a") as file:
        file.write('\n{"task": "blobs", "para')  # a line that was cut off

    second = Trainings({"blobs": TASK}, results)

    assert second.ended("blobs", SGD, seed=0) == ended
    assert second.done == 0
    other = second.ended("blobs", SGD, seed=1)
    assert second.done == 1
    assert Trainings({"blobs": TASK}, results).ended("blobs", SGD, seed=1) == other


def test_a_training_depends_on_its_seed_alone() -> None:
    torch.manual_seed(7)
    one = TASK.train(SGD, seed=3)
    torch.manual_seed(8)

    assert TASK.train(SGD, seed=3) == one
    assert TASK.train(SGD, seed=4) != one


def test_averages_leave_a_training_as_it_is() -> None:
    without = TASK.train(SGD, seed=0)
    beside = TASK.train({**SGD, "half_lives": [16.0, 64.0]}, seed=0)

    assert len(beside["averages"]) == 2
    assert beside["test_loss"] == without["test_loss"]
    assert beside["averages"][1]["test_loss"] != without["test_loss"]


def test_what_diverges_counts_as_a_guess() -> None:
    deep = ClaimTask(
        "deep",
        blobs,
        lambda _: nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2)),
        20,
        16,
    )

    ended = deep.train({**SGD, "lr": 1e30}, seed=0)

    assert ended["test_error"] == 0.5
    assert ended["test_loss"] == math.log(2)


def test_updates_to_a_target_are_counted() -> None:
    many = {**SGD, "updates": 200}

    reached = TASK.reach(many, 0, target=0.15)["reached"]

    assert 1 <= reached < 200
    assert TASK.train({**many, "updates": reached}, 0)["val_error"] <= 0.15
    assert TASK.reach(many, 0, target=-1.0)["reached"] is None


def test_the_schedules_are_those_of_the_papers() -> None:
    step = tracks_of({"lr": 1.0, "schedule": "step"}, 100).lr
    cycle = tracks_of({"lr": 1.0, "schedule": "one_cycle"}, 100)

    assert [step(place) for place in (49, 50, 75)] == pytest.approx([1.0, 0.1, 0.01])
    assert cycle.momentum is not None
    assert cycle.momentum(0) > cycle.momentum(30) < cycle.momentum(99)


def test_methods_are_compared_on_seeds_that_did_not_choose(
    trainings: Trainings,
) -> None:
    method = Method(trainings, "blobs", SGD, (Axis("lr", (0.1, 0.5), 5.0),))

    ends = method.tested([0, 1])

    chosen = {**SGD, **method.grid()[0]}
    again = [trainings.ended("blobs", chosen, seed)["test_error"] for seed in (0, 1)]
    assert ends == again
    assert gaps(ends, again) == [0.0, 0.0]


def test_a_table_has_a_row_for_each_schedule_and_length(trainings: Trainings) -> None:
    text = claims._cycles(trainings, "blobs", 20, [0, 1])

    rows = [line for line in text.splitlines() if line.startswith("| one_cycle")]
    assert [row.split(" | ")[1] for row in rows] == ["1", "1/2", "1/5"]
    assert "| step | 1 |" in text


def test_without_data_only_digits_are_trained() -> None:
    assert list(claim_tasks(None)) == ["digits"]


def test_the_small_transformer_cannot_look_ahead() -> None:
    from benchmarks.claim_tasks import CHARACTERS, Letters

    torch.manual_seed(0)
    model = Letters(10, norm_first=False).eval()
    X = torch.randint(10, (1, CHARACTERS))
    other = X.clone()
    other[0, 20] = (other[0, 20] + 1) % 10

    before, after = model(X), model(other)

    assert torch.allclose(before[0, :20], after[0, :20], atol=1e-6)
    assert not torch.allclose(before[0, 20:], after[0, 20:], atol=1e-6)


def test_an_unknown_claim_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        claims.main(["faster"])

    assert "one_cycle" in capsys.readouterr().err


def test_a_race_finds_the_rate_that_is_first_at_the_target(
    trainings: Trainings,
) -> None:
    race = Race(
        trainings, "blobs", {**SGD, "updates": 50}, Axis("lr", (0.01, 0.1), 10.0), 0.15
    )

    best = race.best()

    slow = race.logs({"lr": 1e-9}, [0])
    assert slow == [math.log(51)]
    assert race.logs(best, [0])[0] < race.logs({"lr": 0.01}, [0])[0]


def test_one_cycle_is_also_compared_at_equal_length(trainings: Trainings) -> None:
    text = claims._cycles(trainings, "blobs", 20, [0, 1])

    _, _, after = text.partition("at the same length")
    assert "| 1/5 |" in after
