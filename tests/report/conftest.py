from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from numpy.random import Generator

from danlu.domain import Choice, Domain, Float, Int
from danlu.history import History
from danlu.metric import Metric
from danlu.study import Study
from danlu.trial import Curve, Kind, State, Trial
from danlu.value import Value

STEPS = 30


def example_study(trials: int = 60) -> Study:
    adam = {
        "lr": Float(1e-4, 0.1, log=True),
        "one_minus_beta1": Float(0.01, 0.5, log=True),
    }
    nesterov = {
        "lr": Float(1e-3, 1.0, log=True),
        "one_minus_momentum": Float(0.01, 0.5, log=True),
    }
    space: dict[str, Domain] = {
        "optimizer": Choice({"adam": adam, "nesterov": nesterov}),
        "weight_decay": Float(1e-6, 1e-2, log=True),
        "dropout": Float(0.0, 0.6),
        "layers": Int(1, 4),
        "width": Int(16, 512, log=True),
    }
    return Study(
        name="digits-optimizers",
        goal="Is Adam better than Nesterov momentum for a small network on digits?",
        metric=Metric("val_error"),
        space=space,
        scientific=["optimizer"],
        fixed={"batch_size": 64, "activation": "relu"},
        baseline={
            "optimizer": "adam",
            "lr": 1e-3,
            "one_minus_beta1": 0.1,
            "weight_decay": 1e-4,
            "dropout": 0.0,
            "layers": 2,
            "width": 64,
        },
        trials=trials,
        scheduler="median",
        max_steps=STEPS,
    )


def example_history(study: Study) -> History:
    """Two arms, some trials diverged, some stopped, two failed, two running."""
    rng = np.random.default_rng(7)
    trials = [_baseline(study, rng, number) for number in range(2)]
    for index in range(study.trials):
        space = study.arm_spaces[index % len(study.arms)]
        params = space.decode(rng.random(len(space)))
        trials.append(_trial(study, rng, params, index + 2, index))
    return History(study.search_space, study.objective, trials, max_steps=STEPS)


def _baseline(study: Study, rng: Generator, number: int) -> Trial:
    params = study.search_space.admit(study.baseline or {})
    curves = _curves(rng, _quality(params), STEPS)
    times = {"started_s": 1.77e9, "ended_s": 1.77e9 + 15}
    kind = Kind.BASELINE
    return Trial(number, params, State.COMPLETED, kind, curves=curves, **times)  # type: ignore[arg-type]


def _quality(params: Mapping[str, Value]) -> float:
    """How good params are: 0 is perfect."""
    lr, width = float(str(params["lr"])), float(str(params["width"]))
    dropout, layers = float(str(params["dropout"])), float(str(params["layers"]))
    target = -2.6 if params["optimizer"] == "adam" else -1.0
    return (
        0.8 * abs(math.log10(lr) - target)
        + 0.35 * abs(math.log2(width) - 8) / 4
        + 0.8 * (dropout - 0.2) ** 2
        + 0.06 * (layers - 2) ** 2
        + (0.12 if params["optimizer"] == "nesterov" else 0.0)
    )


def _curves(rng: Generator, quality: float, steps: int) -> dict[str, Curve]:
    at = np.arange(1, steps + 1)
    floor = 0.028 + 0.05 * quality + 0.02 * quality**2
    falling = np.exp(-at / (2.5 + 4 * quality))
    train = floor * 0.3 + 0.9 * falling
    valid = floor + 0.9 * falling + 0.0004 * np.maximum(at - 18, 0)
    noisy = valid + rng.normal(0, 0.002, steps)
    return {
        "val_error": Curve(at, np.clip(noisy, 1e-3, 1)),
        "train_error": Curve(at, np.clip(train + rng.normal(0, 1e-3, steps), 1e-3, 1)),
        "train_loss": Curve(at, 2.3 * train),
        "val_loss": Curve(at, 2.3 * noisy + 0.01),
    }


def _trial(
    study: Study, rng: Generator, params: dict[str, Value], number: int, index: int
) -> Trial:
    quality = _quality(params)
    times = {"started_s": 1.77e9 + index * 9, "ended_s": 1.77e9 + index * 9 + 15}
    state, steps, reason = State.COMPLETED, STEPS, ""
    lr = float(str(params["lr"]))
    if lr > (0.03 if params["optimizer"] == "adam" else 0.5):
        steps = int(rng.integers(1, 4))
        state, reason = State.INFEASIBLE, f"val_error is nan at step {steps}"
    elif index in (11, 38):
        state, steps = State.FAILED, 2
        reason = "the program ended with code 1: FileNotFoundError: digits.npz"
    elif quality > 1.1 and index > 10:
        steps = int(rng.integers(5, 15))
        state, reason = State.STOPPED, f"below the median at step {steps}"
    elif index >= study.trials - 2:
        state, steps = State.RUNNING, 9
        times.pop("ended_s")
    curves = _curves(rng, quality, steps)
    return Trial(
        number,
        params,
        state,
        index=index,
        curves=curves,
        reason=reason,
        **times,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="session")
def study() -> Study:
    return example_study()


@pytest.fixture(scope="session")
def history(study: Study) -> History:
    return example_history(study)
