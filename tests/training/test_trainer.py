from __future__ import annotations

import math
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from danlu import checkpoints, client, training
from danlu.training.fit_settings import SCHEDULES

EVERYTHING = {
    "epochs": 4,
    "batch_size": 16,
    "lr": 0.05,
    "optimizer": "adamw",
    "weight_decay_norm": 0.01,
    "accumulation": 2,
    "schedule": "restarts",
    "warmup_steps": 3,
    "clip_norm": 0.5,
    "clip_value": 0.3,
    "ema_half_life": 100.0,
    "label_smoothing": 0.1,
    "mixup_alpha": 0.4,
    "flip": True,
    "shift": 1,
    "erase": 2,
    "noise": 0.1,
    "drop_path": 0.3,
    "dropout": 0.2,
    "initialization": "he",
    "data_share": 0.9,
    "class_balance": 0.5,
    "patience": 20,
    "keep_best": 1,
}
PLAIN: Params = {"epochs": 4, "batch_size": 16, "lr": 0.05, "optimizer": "nesterov"}
CYCLE = {**PLAIN, "schedule": "one_cycle", "momentum_low": 0.8, "layer_lr_factor": 0.5}
MUON = {**PLAIN, "optimizer": "muon", "precision": "bfloat16", "schedule": "step"}
HALF = {**PLAIN, "precision": "float16", "clip_norm": 1.0, "accumulation": 2}
Params = Mapping[str, Any]


class Killed(Exception):
    """What ends a training in the middle of an epoch."""


class Silent(client.Channel):
    """Keeps the reports; asks to end after `last`."""

    def __init__(self, last: float = math.inf) -> None:
        self.last = last
        self.steps: list[int] = []

    def send(self, step: int, metrics: Mapping[str, float]) -> None:
        self.steps.append(step)

    def stopping(self) -> bool:
        return self.steps[-1] >= self.last


class Residual(nn.Module):  # type: ignore[misc]
    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Linear(width, width)
        self.drop = training.DropPath(0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.drop(self.branch(x).relu())


class Bomb(nn.Module):  # type: ignore[misc]
    """Lets inputs through; at the training pass number `at` the program is ended."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = at
        self.passes = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += self.training
        if self.training and self.passes > self.at:
            raise Killed
        return x


class Louder(nn.Module):  # type: ignore[misc]
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 1000


def network(params: Params, at: float = math.inf) -> nn.Module:
    return nn.Sequential(
        Bomb(at),
        nn.Flatten(),
        nn.Linear(36, 16),
        nn.BatchNorm1d(16),
        nn.Dropout(params.get("dropout", 0.0)),
        Residual(16),
        nn.Linear(16, 3),
    )


def examples(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.arange(count) % 3
    noise = torch.randn(count, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    noise[torch.arange(count), 0, labels] += 2.0
    return noise, labels


def run(
    params: Params, folder: Path, *, at: float = math.inf, last: float = math.inf
) -> training.Fitted:
    folder.mkdir(exist_ok=True)
    trial = client.LiveTrial(params, Silent(last))
    trial.folder, trial.seed = folder, 5
    return training.fit(
        trial,
        lambda own: network(own, at),
        train=examples(80, seed=0),
        val=examples(40, seed=1),
    )


def flat(state: Any) -> list[Any]:
    if isinstance(state, dict):
        return [leaf for key in state for leaf in flat(state[key])]
    if isinstance(state, list | tuple):
        return [leaf for part in state for leaf in flat(part)]
    return [state.tolist() if isinstance(state, torch.Tensor) else state]


def saved(folder: Path) -> list[Any]:
    """All that the last checkpoint holds: weights, optimizer, averages, curve."""
    latest = checkpoints.Checkpoints(folder / "checkpoint").latest()
    assert latest is not None
    return flat(torch.load(latest.path, weights_only=True))


@pytest.mark.parametrize("at", [1, 6, 14])
@pytest.mark.parametrize("params", [EVERYTHING, PLAIN, CYCLE, MUON, HALF])
def test_a_training_cut_off_in_an_epoch_ends_bit_for_bit_as_the_whole_one(
    params: Params, at: int, tmp_path: Path
) -> None:
    whole = run(params, tmp_path / "whole")
    with pytest.raises(Killed):
        run(params, tmp_path / "cut", at=at)
    torch.manual_seed(99)  # another program
    resumed = run(params, tmp_path / "cut")

    assert flat(whole.model.state_dict()) == flat(resumed.model.state_dict())
    assert whole.curve == resumed.curve
    assert saved(tmp_path / "whole") == saved(tmp_path / "cut")


def test_a_killed_process_ends_bit_for_bit_as_the_whole_one(tmp_path: Path) -> None:
    whole = run(EVERYTHING, tmp_path / "whole")
    script = (
        "import os, signal, sys, torch, warnings\n"
        "from pathlib import Path\n"
        "torch.set_num_threads(1)\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_trainer as own\n"
        "class Killer(own.Bomb):\n"
        "    def forward(self, x):\n"
        "        self.passes += self.training\n"
        "        if self.passes > 19:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return x\n"
        "own.Bomb = Killer\n"
        f"own.run(own.EVERYTHING, Path({str(tmp_path / 'cut')!r}))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], timeout=120, check=False, capture_output=True
    )
    resumed = run(EVERYTHING, tmp_path / "cut")

    assert ended.returncode == -signal.SIGKILL, ended.stderr[-2000:]
    assert flat(whole.model.state_dict()) == flat(resumed.model.state_dict())
    assert saved(tmp_path / "whole") == saved(tmp_path / "cut")


def test_a_trial_paused_at_a_budget_goes_on_to_the_same_end(tmp_path: Path) -> None:
    whole = run(EVERYTHING, tmp_path / "whole")
    paused = run(EVERYTHING, tmp_path / "paused", last=2)
    resumed = run(EVERYTHING, tmp_path / "paused")

    assert len(paused.curve) == 2
    assert flat(whole.model.state_dict()) == flat(resumed.model.state_dict())


def test_what_was_saved_but_not_reported_is_reported_at_the_next_start(
    tmp_path: Path,
) -> None:
    run(PLAIN, tmp_path, last=3)
    trial = client.LiveTrial(PLAIN, channel := Silent())
    trial.folder = tmp_path
    training.fit(trial, network, train=examples(80, 0), val=examples(40, 1))

    assert [3, 4] == channel.steps


def test_the_random_state_of_the_program_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2).tolist()
    torch.manual_seed(3)
    run(PLAIN, tmp_path)

    assert expected == torch.rand(2).tolist()


def test_the_model_has_the_weights_that_were_measured(tmp_path: Path) -> None:
    fitted = run(EVERYTHING, tmp_path)
    inputs, labels = examples(40, seed=1)
    wrong = (fitted.model(inputs).argmax(1) != labels).float().mean()

    assert fitted.curve[-1]["val_error"] == float(wrong)


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_every_schedule_trains(schedule: str, tmp_path: Path) -> None:
    end_share = 0.01 if schedule == "exponential" else 0.0
    fitted = run({**PLAIN, "schedule": schedule, "end_share": end_share}, tmp_path)

    assert fitted.curve[-1]["val_loss"] < fitted.curve[0]["loss"]


def test_the_last_update_has_the_last_rate_of_the_schedule(tmp_path: Path) -> None:
    run({**PLAIN, "schedule": "linear"}, tmp_path)
    latest = checkpoints.Checkpoints(tmp_path / "checkpoint").latest()
    assert latest is not None
    state = torch.load(latest.path, weights_only=True)
    rates = {group["lr"] for group in state["optimizer"]["param_groups"]}

    assert [pytest.approx(0.05 / 20)] == list(rates)  # 4 epochs of 5 updates


@pytest.mark.parametrize(
    "trick",
    [
        {"batch_size": 8},
        {"accumulation": 2},  # batch norms see the parts
        {"data_share": 0.7},
        {"class_balance": 1.0},
        {"schedule": "cosine"},
        {"warmup_steps": 3},
        {"weight_decay_norm": 0.1},
        {"layer_lr_factor": 0.5},
        {"clip_norm": 0.1},
        {"clip_value": 0.01},
        {"ema_half_life": 50},
        {"label_smoothing": 0.1},
        {"mixup_alpha": 0.4},
        {"flip": True},
        {"shift": 1},
        {"erase": 2},
        {"noise": 0.1},
        {"drop_path": 0.2},
        {"initialization": "he"},
        {"initialization": "xavier"},
        {"precision": "bfloat16"},
        {"precision": "float16"},
    ],
    ids=str,
)
def test_every_setting_changes_the_training(trick: Params, tmp_path: Path) -> None:
    plain = run(PLAIN, tmp_path / "plain")
    other = run({**PLAIN, **trick}, tmp_path / "other")

    assert flat(plain.model.state_dict()) != flat(other.model.state_dict())


@pytest.mark.parametrize("more", [{"momentum_low": 0.7}, {"end_share": 0.5}], ids=str)
def test_what_belongs_to_a_schedule_changes_the_training(
    more: Params, tmp_path: Path
) -> None:
    schedule = "one_cycle" if "momentum_low" in more else "cosine"
    plain = run({**PLAIN, "schedule": schedule}, tmp_path / "plain")
    other = run({**PLAIN, "schedule": schedule, **more}, tmp_path / "other")

    assert flat(plain.model.state_dict()) != flat(other.model.state_dict())


def test_as_many_checkpoints_are_kept_as_asked_for(tmp_path: Path) -> None:
    run({**PLAIN, "keep_best": 4}, tmp_path)

    assert [1, 2, 3, 4] == checkpoints.Checkpoints(tmp_path / "checkpoint").steps()


def test_drop_paths_get_rates_that_rise_with_the_depth(tmp_path: Path) -> None:
    fitted = run({**PLAIN, "drop_path": 0.3}, tmp_path)
    drops = [m for m in fitted.model.modules() if isinstance(m, training.DropPath)]

    assert [0.3] == [drop.rate for drop in drops]


def test_a_training_that_no_longer_gets_better_is_ended_and_stays_so(
    tmp_path: Path,
) -> None:
    params = {**PLAIN, "epochs": 200, "patience": 6}
    first = run(params, tmp_path)
    again = run(params, tmp_path)

    assert 6 <= len(first.curve) < 200
    assert first.curve == again.curve


def test_a_training_that_diverged_reports_no_number(tmp_path: Path) -> None:
    trial = client.LiveTrial({**PLAIN, "epochs": 1}, Silent())
    trial.folder = tmp_path
    inputs, labels = examples(80, 0)
    fitted = training.fit(
        trial, network, train=(inputs, labels), val=(inputs * math.nan, labels)
    )

    assert math.isnan(fitted.curve[0]["val_error"])


def test_a_loss_that_is_not_a_number_ends_the_training_at_once(tmp_path: Path) -> None:
    trial = client.LiveTrial({**PLAIN, "epochs": 9}, Silent())
    trial.folder = tmp_path
    model = network(PLAIN)
    inputs, labels = examples(80, 0)
    fitted = training.fit(
        trial, lambda _: model, train=(inputs * math.nan, labels), val=examples(40, 1)
    )

    assert 1 == model[0].passes
    assert [True] == [all(map(math.isnan, epoch.values())) for epoch in fitted.curve]
    assert {"epoch": 1, "update": 1} == fitted.findings[0].evidence
    assert [] == checkpoints.Checkpoints(tmp_path / "checkpoint").steps()


def test_an_overflow_under_fp16_is_skipped_and_no_divergence(tmp_path: Path) -> None:
    params = {**PLAIN, "precision": "float16", "lr": 1e-6, "epochs": 2}
    trial = client.LiveTrial(params, Silent())
    trial.folder = tmp_path
    fitted = training.fit(
        trial,
        # The scale of 65536 that a scaler begins with overflows in such gradients.
        lambda own: nn.Sequential(network(own), Louder()),
        train=examples(80, 0),
        val=examples(40, 1),
    )
    latest = checkpoints.Checkpoints(tmp_path / "checkpoint").latest()
    assert latest is not None
    scale = torch.load(latest.path, weights_only=True)["scaler"]["scale"]

    assert scale < 2.0**16
    assert [True, True] == [math.isfinite(own["val_loss"]) for own in fitted.curve]


def test_a_child_of_population_training_has_settings_of_its_own(tmp_path: Path) -> None:
    run({**PLAIN, "momentum": 0.9, "ema_half_life": 50.0}, tmp_path, last=2)
    params = {**PLAIN, "momentum": 0.5, "ema_half_life": 20.0}
    run(params, tmp_path)
    latest = checkpoints.Checkpoints(tmp_path / "checkpoint").latest()
    assert latest is not None
    state = torch.load(latest.path, weights_only=True)

    assert {0.5} == {group["momentum"] for group in state["optimizer"]["param_groups"]}
    assert state["average"]["half_life"] == 20.0


def test_the_picture_is_there_after_every_epoch(tmp_path: Path) -> None:
    run(PLAIN, tmp_path, last=1)
    first = (tmp_path / "curves.svg").read_text()
    run(PLAIN, tmp_path, last=2)
    second = (tmp_path / "curves.svg").read_text()

    assert "after epoch 1: val_loss " in first
    assert "after epoch 2: val_loss " in second


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"epochs": 0}, "epochs is a whole number from 1, got epochs=0"),
        ({"batch_size": 8.5}, "batch_size is a whole number"),
        ({"schedule": "cosin"}, "schedule='cosin' is unknown: use one of constant"),
        ({"schedules": "cosine"}, "did you mean 'schedule'"),
        ({"warmup": 5}, "did you mean 'warmup_steps'"),
        ({"warmup_steps": 20}, "leaves nothing of the 20 steps"),
        ({"schedule": "one_cycle", "warmup_steps": 2}, "has a way up of its own"),
        ({"schedule": "exponential"}, "give an end_share above 0"),
        ({"end_share": 0.1}, "schedule='constant' has no end_share"),
        ({"schedule": "linear", "end_share": 2.0}, "end_share is from 0 to 1"),
        ({"momentum_low": 0.8}, "goes with a one-cycle"),
        ({**CYCLE, "momentum_low": 0.95}, "is above the momentum of 0.9"),
        ({"data_share": 0.0}, "data_share is above 0"),
        ({"weight_decay": 0.1, "weight_decay_norm": 0.1}, "have both"),
    ],
)
def test_an_impossible_param_is_an_error_that_says_so(
    wrong: Params, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said):
        run({**PLAIN, **wrong}, tmp_path)


def test_params_without_epochs_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs params with `epochs` and `lr`"):
        run({"lr": 0.1}, tmp_path)


def test_a_drop_path_rate_for_a_model_without_any_is_an_error(tmp_path: Path) -> None:
    trial = client.LiveTrial({**PLAIN, "drop_path": 0.1}, Silent())
    trial.folder = tmp_path
    with pytest.raises(ValueError, match="the model has no"):
        training.fit(
            trial,
            lambda _: nn.Sequential(nn.Flatten(), nn.Linear(36, 3)),
            train=examples(80, 0),
            val=examples(40, 1),
        )
