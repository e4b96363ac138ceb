from __future__ import annotations

from pathlib import Path

import pytest
import torch

from danlu.training import build_tracks
from danlu.training.fit_settings import SCHEDULES, FitSettings, tracks_of
from tests.training.short_fits import CYCLE, PLAIN, Params, flat, run


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_every_schedule_trains(schedule: str, tmp_path: Path) -> None:
    end_share = 0.01 if schedule in ("exponential", "exp_range") else 0.0
    fitted = run({**PLAIN, "schedule": schedule, "end_share": end_share}, tmp_path)

    assert fitted.curve[-1]["val_loss"] < fitted.curve[0]["loss"]


@pytest.mark.parametrize(
    "trick",
    [
        {"batch_size": 8},
        {"accumulation": 2},  # batch norms see the parts
        {"data_share": 0.7},
        {"class_balance": 1.0},
        {"schedule": "cosine"},
        {"warmup_steps": 3},
        {"warmup_fraction": 0.2},
        {"frozen_layers": 3},
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


@pytest.mark.parametrize(
    ("schedule", "more"),
    [
        ("one_cycle", {"momentum_low": 0.7}),
        ("one_cycle", {"warmup_fraction": 0.5}),
        ("cosine", {"end_share": 0.5}),
        ("warmup_stable_decay", {"decay_fraction": 0.5}),
        ("polynomial", {"decay_power": 2.0}),
    ],
)
def test_what_belongs_to_a_schedule_changes_the_training(
    schedule: str, more: Params, tmp_path: Path
) -> None:
    plain = run({**PLAIN, "schedule": schedule}, tmp_path / "plain")
    other = run({**PLAIN, "schedule": schedule, **more}, tmp_path / "other")

    assert flat(plain.model.state_dict()) != flat(other.model.state_dict())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"epochs": 0}, "epochs is a whole number from 1, got epochs=0"),
        ({"batch_size": 8.5}, "batch_size is a whole number"),
        ({"schedule": "cosin"}, "schedule='cosin' is unknown: use one of constant"),
        ({"schedules": "cosine"}, "did you mean 'schedule'"),
        ({"warmup": 5}, "did you mean 'warmup_steps'"),
        ({"warmup_fraction": 1.5}, "warmup_fraction is a share from 0 to below 1"),
        ({"warmup_fraction": 0.1, "warmup_steps": 2}, "have both warmup_steps"),
        ({"result": "best"}, "is made of checkpoints: say how many in keep_best"),
        ({"frozen_layers": 9}, "leaves nothing of the 7 children of the model"),
        ({"schedule": "exp_range"}, "give an end_share above 0"),
        ({"warmup_steps": 20}, "leaves nothing of the 20 steps"),
        ({"schedule": "one_cycle", "warmup_steps": 2}, "has a way up of its own"),
        ({"schedule": "exponential"}, "give an end_share above 0"),
        ({"end_share": 0.1}, "schedule='constant' has no end_share"),
        ({"schedule": "linear", "end_share": 2.0}, "end_share is from 0 to 1"),
        ({"momentum_low": 0.8}, "goes with a one-cycle"),
        ({**CYCLE, "momentum_low": 0.95}, "is above the momentum of 0.9"),
        ({"data_share": 0.0}, "data_share is above 0"),
        ({"class_balance": -1.0}, "class_balance is from 0 to 1, got -1.0"),
        ({"class_balance": 5.0}, "class_balance is from 0 to 1, got 5.0"),
        ({"lr": -0.1}, "got lr=-0.1"),
        ({"drop_path": 1.0}, "drop_path is a share from 0 to below 1, got"),
        ({"label_smoothing": -1.0}, "label_smoothing is a share"),
        ({"mixup_alpha": -1.0}, "mixup_alpha is a number of at least 0"),
        ({"noise": -1.0}, "noise is a number of at least 0"),
        ({"ema_half_life": -1.0}, "ema_half_life is a number of at least 0"),
        ({"weight_decay_norm": -1.0}, "weight_decay_norm is a number of at least 0"),
        ({"clip_norm": 0.0}, "clip_norm is a number above 0"),
        ({"clip_value": -1.0}, "clip_value is a number above 0"),
        ({"decay_power": 0.0}, "decay_power is a number above 0"),
        ({"layer_lr_factor": -1.0}, "layer_lr_factor is a number above 0"),
        ({"patience": 3}, "patience is 0 or at least 5 evaluations"),
        (
            {
                "schedule": "warmup_stable_decay",
                "decay_fraction": 0.6,
                "warmup_fraction": 0.5,
            },
            "decay_fraction=0.6 leaves less than nothing",
        ),
        ({"weight_decay": -1.0}, "got weight_decay=-1.0"),
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


def test_a_share_of_the_steps_is_that_of_all_of_them() -> None:
    """As `build_tracks` has it."""
    params: Params = {
        "lr": 0.1,
        "schedule": "warmup_stable_decay",
        "warmup_fraction": 0.5,
        "decay_fraction": 0.2,
    }
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)

    own = tracks_of(FitSettings.of({"epochs": 10, **params}), optimizer, 100)

    steps = range(1000)
    expected = build_tracks(params, len(steps)).lr
    assert [expected(step) for step in steps] == [own.lr(step) for step in steps]
