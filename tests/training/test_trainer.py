from __future__ import annotations

import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from danlu import checkpoints, client, training
from tests.training.short_fits import (
    CYCLE,
    EVERYTHING,
    PLAIN,
    Killed,
    Louder,
    Params,
    Silent,
    examples,
    flat,
    network,
    run,
)

MUON = {**PLAIN, "optimizer": "muon", "precision": "bfloat16", "schedule": "step"}
HALF = {**PLAIN, "precision": "float16", "clip_norm": 1.0, "accumulation": 2}


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
        "import short_fits as own\n"
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
        [sys.executable, "-c", script], check=False, capture_output=True
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


def test_the_last_update_has_the_last_rate_of_the_schedule(tmp_path: Path) -> None:
    run({**PLAIN, "schedule": "linear"}, tmp_path)
    latest = checkpoints.Checkpoints(tmp_path / "checkpoint").latest()
    assert latest is not None
    state = torch.load(latest.path, weights_only=True)
    rates = {group["lr"] for group in state["optimizer"]["param_groups"]}

    assert [pytest.approx(0.05 / 20)] == list(rates)  # 4 epochs of 5 updates


def test_as_many_checkpoints_are_kept_as_asked_for(tmp_path: Path) -> None:
    run({**PLAIN, "keep_best": 4}, tmp_path)

    assert [1, 2, 3, 4] == checkpoints.Checkpoints(tmp_path / "checkpoint").steps()


@pytest.mark.parametrize("average", [0.0, 50.0])
def test_the_model_of_the_best_epoch_is_returned_where_asked_for(
    average: float, tmp_path: Path
) -> None:
    params = {**PLAIN, "epochs": 6, "lr": 0.5, "ema_half_life": average}
    fitted = run({**params, "result": "best", "keep_best": 6}, tmp_path)
    inputs, labels = examples(40, seed=1)
    loss = nn.functional.cross_entropy(fitted.model(inputs), labels)

    assert (fitted.best_epoch,) == tuple(fitted.of_epochs)
    best = fitted.curve[fitted.best_epoch - 1]
    assert float(loss.detach()) == pytest.approx(best["val_loss"], rel=1e-4)


def test_a_soup_is_the_mean_of_the_checkpoints_that_are_kept(tmp_path: Path) -> None:
    params = {**PLAIN, "keep_best": 4}
    last = run(params, tmp_path)
    made = run({**params, "result": "soup"}, tmp_path)
    kept = checkpoints.Checkpoints(tmp_path / "checkpoint")
    states = [
        torch.load(saved.path, weights_only=True)["model"]
        for epoch in (1, 2, 3, 4)
        if (saved := kept.at(epoch)) is not None
    ]

    assert [1, 2, 3, 4] == list(made.of_epochs)
    mean = torch.stack([state["6.weight"] for state in states]).mean(0)
    assert torch.allclose(mean, made.model[6].weight)
    assert not torch.allclose(mean, last.model[6].weight)


@pytest.mark.parametrize(("result", "epochs"), [("best", (2,)), ("soup", (1, 2))])
def test_a_damaged_checkpoint_is_no_part_of_the_result(
    result: str, epochs: tuple[int, ...], tmp_path: Path
) -> None:
    """The last one is damaged, and danlu ends the training before it is there anew."""
    params = {**PLAIN, "keep_best": 3, "result": result}
    run(params, tmp_path, last=3)
    (damaged,) = tmp_path.glob("checkpoint/*-step-3")
    damaged.write_bytes(b"")

    fitted = run(params, tmp_path, last=1)

    assert 2 == len(fitted.curve)
    assert epochs == fitted.of_epochs


def test_drop_paths_get_rates_that_rise_with_the_depth(tmp_path: Path) -> None:
    fitted = run({**PLAIN, "drop_path": 0.3}, tmp_path)
    drops = [m for m in fitted.model.modules() if isinstance(m, training.DropPath)]

    assert [0.3] == [drop.rate for drop in drops]


def test_frozen_layers_keep_their_weights_and_statistics(tmp_path: Path) -> None:
    first = run({**PLAIN, "frozen_layers": 4, "epochs": 1}, tmp_path / "one")
    second = run({**PLAIN, "frozen_layers": 4, "epochs": 2}, tmp_path / "two")

    for at in (2, 3):  # a linear layer and a batch norm
        assert flat(first.model[at].state_dict()) == flat(second.model[at].state_dict())
    assert flat(first.model[6].state_dict()) != flat(second.model[6].state_dict())


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


def test_statistics_of_an_average_do_not_depend_on_how_many_are_validated(
    tmp_path: Path,
) -> None:
    params = {**PLAIN, "ema_half_life": 64.0}
    norms = []
    for count in (2, 32):
        trial = client.LiveTrial(params, Silent())
        trial.folder = tmp_path / str(count)
        val = tuple(part[:count] for part in examples(32, seed=1))
        model = training.fit(trial, network, train=examples(96, 0), val=val).model
        norms.append(
            [m.running_var for m in model.modules() if hasattr(m, "running_var")]
        )

    assert norms[0]
    assert all(torch.equal(a, b) for a, b in zip(*norms, strict=True))
