"""What `fit` reads of a trial's params, and the schedules that they mean.

The length of a schedule is that of the whole training, also where a trial is paused
before its end.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from torch.optim import Optimizer

from .schedule_params import DECAY_FRACTION
from .schedules import (
    Constant,
    Cosine,
    Exponential,
    Linear,
    Pieces,
    Polynomial,
    Restarts,
    Schedule,
    Step,
    Triangular,
    Warmup,
    exp_range,
    one_cycle,
    one_cycle_momentum,
    one_cycle_three_phase,
    triangular2,
    warmup_stable_decay,
)
from .stopping import FEWEST
from .tracks import Tracks
from .weight_decay import NormalizedDecay, normalized_decay

# The rate is divided by ten at half and at three quarters: He et al. (2016), CIFAR-10.
STEPS_AT, STEP_FACTOR = (1 / 2, 3 / 4), 0.1
# A way up of 2 to 10 epochs from a third or a quarter: Smith (2015), sections 3.2, 3.3.
HALF_CYCLE_EPOCHS, LOW_SHARE = 2, 1 / 4
PERIOD_EPOCHS, MULTIPLY = 1, 2  # Loshchilov & Hutter (2017): best early, good late

_WITH_END = (
    "linear",
    "cosine",
    "polynomial",
    "exponential",
    "exp_range",
    "restarts",
    "warmup_stable_decay",
)
_OTHER_NAMES = {  # what the same is called elsewhere
    "warmup": "warmup_steps",
    "smoothing": "label_smoothing",
    "mixup": "mixup_alpha",
    "ema": "ema_half_life",
    "scheduler": "schedule",
    "grad_clip": "clip_norm",
    "max_grad_norm": "clip_norm",
}
_COUNTS = (  # whole numbers; 0 leaves the trick out
    "warmup_steps",
    "shift",
    "erase",
    "frozen_layers",
    "patience",
    "keep_best",
)
_SHARES = (
    "warmup_fraction",
    "decay_fraction",
    "label_smoothing",
    "drop_path",
    "momentum_low",
)
_NOT_NEGATIVE = ("ema_half_life", "mixup_alpha", "noise", "weight_decay_norm", "lr")
_POSITIVE = ("decay_power", "layer_lr_factor", "clip_norm", "clip_value")
_ALIKE = 0.85  # of two names, as difflib measures it: one or two letters differ


@dataclass(frozen=True)
class FitSettings:
    """What `fit` reads of a trial's params, beside what `build_optimizer` reads.

    Only `epochs` and `lr` are needed: each default leaves a trick out. The half-life is
    in samples, `shift` and `erase` are in pixels, others as the tool of that name has
    them.

    >>> from danlu import training
    >>> settings = training.FitSettings(epochs=10, lr=0.1, schedule="one_cycle")
    >>> settings.batch_size
    64

    Raises:
        ValueError: a value is impossible.
    """

    epochs: int
    lr: float
    batch_size: int = 64
    accumulation: int = 1  # parts into which a batch is cut
    data_share: float = 1.0  # of the training examples, stratified
    class_balance: float = 0.0  # 1: all classes alike often
    schedule: str = "constant"
    warmup_steps: int = 0
    warmup_fraction: float | None = None  # of the steps, instead of warmup_steps
    decay_fraction: float = DECAY_FRACTION  # of the steps, under warmup_stable_decay
    decay_power: float = 1.0  # of a polynomial; 1 is a line
    end_share: float = 0.0  # of the rate, where the schedule ends
    momentum_low: float | None = None  # where the rate is highest, under one-cycle
    weight_decay_norm: float | None = None  # instead of weight_decay
    layer_lr_factor: float = 1.0  # from each layer to the one before it
    clip_norm: float | None = None
    clip_value: float | None = None
    ema_half_life: float = 0.0
    label_smoothing: float = 0.0
    mixup_alpha: float = 0.0
    flip: bool = False
    shift: int = 0
    erase: int = 0
    noise: float = 0.0
    drop_path: float = 0.0  # of the last DropPath; earlier ones have less
    frozen_layers: int = 0  # children of the model, from the first, not trained
    initialization: str = "torch"
    precision: str = "float32"
    patience: int = 0  # evaluations of the validation loss, 0 for no early stopping
    keep_best: int = 0  # checkpoints, beside the last one
    result: str = "last"  # epoch whose weights are returned; best, or the soup of kept

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulation"):
            _check_whole(name, getattr(self, name), least=1)
        for name in _COUNTS:
            _check_whole(name, getattr(self, name), least=0)
        if 0 < self.patience < FEWEST:
            raise ValueError(
                f"patience is 0 or at least {FEWEST} evaluations, which show a noise, "
                f"got patience={self.patience}"
            )
        for name in _SHARES:
            _check_share(name, getattr(self, name))
        for name in _NOT_NEGATIVE:
            _check_not_negative(name, getattr(self, name))
        for name in _POSITIVE:
            _check_positive(name, getattr(self, name))
        if self.warmup_steps and self.warmup_fraction is not None:
            raise ValueError("params have both warmup_steps and warmup_fraction")
        if not 0 < self.data_share <= 1:
            raise ValueError(
                f"data_share is above 0 and at most 1, got data_share={self.data_share}"
            )
        if not 0 <= self.class_balance <= 1:
            raise ValueError(f"class_balance is from 0 to 1, got {self.class_balance}")
        _check_choice("schedule", self.schedule, SCHEDULES)
        if not 0 <= self.end_share <= 1:
            raise ValueError(f"end_share is from 0 to 1, got {self.end_share}")
        if self.end_share and self.schedule not in _WITH_END:
            raise ValueError(
                f"schedule={self.schedule!r} has no end_share, and it is "
                f"{self.end_share}: make it conditional on {', '.join(_WITH_END)}"
            )
        _check_choice("initialization", self.initialization, ("torch", "he", "xavier"))
        _check_choice("result", self.result, ("last", "best", "soup"))
        if self.result != "last" and not self.keep_best:
            raise ValueError(
                f"result={self.result!r} is made of checkpoints: say how many in "
                "keep_best, such as 5"
            )
        _check_choice("precision", self.precision, ("float32", "bfloat16", "float16"))

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> FitSettings:
        """The settings among a trial's params; other names are the model's business.

        Raises:
            ValueError: `epochs` is missing, a value is impossible, or a name looks like
                a setting that is misspelled.
        """
        known = [field.name for field in fields(cls)]
        for name in params.keys() - set(known):
            _check_spelling(name, known)
        if not {"epochs", "lr"} <= params.keys():
            raise ValueError(
                f"fit needs params with `epochs` and `lr`, got {dict(params)}: put "
                "what does not vary into the study's `fixed`"
            )
        if "weight_decay" in params and "weight_decay_norm" in params:
            raise ValueError("params have both weight_decay and weight_decay_norm")
        return cls(**{name: params[name] for name in known if name in params})


def tracks_of(settings: FitSettings, optimizer: Optimizer, epoch_steps: int) -> Tracks:
    """What `optimizer` gets at each step of a training with `epoch_steps` an epoch.

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    >>> tracks = tracks_of(FitSettings(5, 0.1, schedule="linear"), optimizer, 20)
    >>> tracks.lr(50), tracks.steps
    (0.05, 100)

    Raises:
        ValueError: the settings do not go together.
    """
    steps = settings.epochs * epoch_steps
    warmup = _warmup_steps(settings, steps)
    left = steps - warmup
    lr = SCHEDULES[settings.schedule](settings, left, epoch_steps)
    norm = settings.weight_decay_norm
    decay: Schedule | None = None
    if norm is not None and isinstance(lr, Restarts):
        decay = NormalizedDecay(norm, lr)
    elif norm is not None:
        decay = Constant(normalized_decay(norm, steps=steps, lr=settings.lr))
    if warmup:
        _check_warmup(settings, lr)
        lr = Warmup(warmup, lr)
        decay = decay and Warmup(warmup, decay, start=decay(0))
    return Tracks(lr, _momentum(settings, optimizer, lr), decay)


def _warmup_steps(settings: FitSettings, steps: int) -> int:
    """The updates before the schedule begins; a one-cycle has its own way up."""
    warmup = settings.warmup_steps
    if settings.warmup_fraction is not None and settings.schedule != "one_cycle":
        warmup = round(settings.warmup_fraction * steps)
    if warmup >= steps:
        raise ValueError(
            f"warmup_steps={warmup} leaves nothing of the {steps} steps "
            f"of epochs={settings.epochs}: shorten the warm-up"
        )
    return warmup


def _linear(settings: FitSettings, steps: int, _: int) -> Schedule:
    return Linear(settings.lr, steps, end=settings.lr * settings.end_share)


def _cosine(settings: FitSettings, steps: int, _: int) -> Schedule:
    return Cosine(settings.lr, steps, end=settings.lr * settings.end_share)


def _polynomial(settings: FitSettings, steps: int, _: int) -> Schedule:
    end = settings.lr * settings.end_share
    return Polynomial(settings.lr, steps, settings.decay_power, end)


def _exponential(settings: FitSettings, steps: int, _: int) -> Schedule:
    return Exponential(settings.lr, _factor(settings, steps), steps)


def _factor(settings: FitSettings, steps: int) -> float:
    """By what the rate is multiplied at each step, to come to its end share."""
    if not settings.end_share > 0:
        raise ValueError(
            f"schedule={settings.schedule!r} never comes to 0: give an end_share above "
            f"0, got end_share={settings.end_share}"
        )
    factor: float = settings.end_share ** (1 / steps)
    return factor


def _step(settings: FitSettings, steps: int, _: int) -> Schedule:
    at = sorted({round(share * steps) for share in STEPS_AT} - {0, steps})
    return Step(settings.lr, tuple(at), STEP_FACTOR, steps)


def _triangular(settings: FitSettings, steps: int, epoch_steps: int) -> Schedule:
    half_cycle = HALF_CYCLE_EPOCHS * epoch_steps
    return Triangular(settings.lr * LOW_SHARE, settings.lr, half_cycle, steps)


def _triangular2(settings: FitSettings, steps: int, epoch_steps: int) -> Schedule:
    half_cycle = HALF_CYCLE_EPOCHS * epoch_steps
    return triangular2(settings.lr * LOW_SHARE, settings.lr, half_cycle, steps=steps)


def _exp_range(settings: FitSettings, steps: int, epoch_steps: int) -> Schedule:
    low, half_cycle = settings.lr * LOW_SHARE, HALF_CYCLE_EPOCHS * epoch_steps
    gamma = _factor(settings, steps)
    return exp_range(low, settings.lr, half_cycle, gamma=gamma, steps=steps)


def _one_cycle(settings: FitSettings, steps: int, _: int) -> Schedule:
    if settings.warmup_fraction is None:
        return one_cycle(settings.lr, steps)
    return one_cycle(settings.lr, steps, rise=settings.warmup_fraction)


def _restarts(settings: FitSettings, steps: int, epoch_steps: int) -> Schedule:
    end = settings.lr * settings.end_share
    return Restarts(settings.lr, PERIOD_EPOCHS * epoch_steps, MULTIPLY, end, steps)


def _stable(settings: FitSettings, steps: int, epoch_steps: int) -> Schedule:
    end = settings.lr * settings.end_share
    decay = max(1, round(settings.decay_fraction * settings.epochs * epoch_steps))
    if decay > steps:
        raise ValueError(
            f"decay_fraction={settings.decay_fraction} leaves less than nothing of the "
            f"steps after the warm-up, which are {steps}: shorten one of them"
        )
    return warmup_stable_decay(settings.lr, steps, warmup=0, decay=decay, end=end)


# By name: a schedule of so many steps, of which so many are an epoch.
SCHEDULES: Mapping[str, Callable[[FitSettings, int, int], Schedule]] = {
    "constant": lambda settings, steps, _: Constant(settings.lr),
    "linear": _linear,
    "cosine": _cosine,
    "polynomial": _polynomial,
    "exponential": _exponential,
    "step": _step,
    "triangular": _triangular,
    "triangular2": _triangular2,
    "exp_range": _exp_range,
    "restarts": _restarts,
    "one_cycle": _one_cycle,
    "one_cycle_three_phase": lambda settings, steps, _: one_cycle_three_phase(
        settings.lr, steps
    ),
    "warmup_stable_decay": _stable,
}


def _check_warmup(settings: FitSettings, lr: Schedule) -> None:
    if isinstance(lr, Pieces):
        raise ValueError(
            f"schedule={settings.schedule!r} has a way up of its own: leave out the "
            "warm-up"
        )


def _momentum(
    settings: FitSettings, optimizer: Optimizer, lr: Schedule
) -> Schedule | None:
    """The momentum beside a one-cycle, from the optimizer's own down and up again."""
    if settings.momentum_low is None:
        return None
    if not isinstance(lr, Pieces):
        raise ValueError(
            f"momentum_low={settings.momentum_low} goes with a one-cycle, and schedule "
            f"is {settings.schedule!r}"
        )
    group = optimizer.param_groups[0]
    high = group["momentum"] if "momentum" in group else group["betas"][0]
    if settings.momentum_low > high:
        raise ValueError(
            f"momentum_low={settings.momentum_low} is above the momentum of {high} "
            "that the optimizer begins with"
        )
    return one_cycle_momentum(lr, high=high, low=settings.momentum_low)


def _check_whole(name: str, value: Any, *, least: int) -> None:
    if type(value) is not int or value < least:
        raise ValueError(f"{name} is a whole number from {least}, got {name}={value!r}")


def _check_share(name: str, value: float | None) -> None:
    if value is not None and not 0 <= value < 1:
        raise ValueError(f"{name} is a share from 0 to below 1, got {name}={value}")


def _check_not_negative(name: str, value: float | None) -> None:
    if value is not None and not value >= 0:
        raise ValueError(f"{name} is a number of at least 0, got {name}={value}")


def _check_positive(name: str, value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"{name} is a number above 0, got {name}={value}")


def _check_choice(name: str, value: Any, known: Collection[str]) -> None:
    if value not in known:
        raise ValueError(f"{name}={value!r} is unknown: use one of {', '.join(known)}")


def _check_spelling(name: str, known: Collection[str]) -> None:
    meant = [_OTHER_NAMES[name]] if name in _OTHER_NAMES else []
    meant += difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE)
    if meant:
        raise ValueError(f"params have {name!r}: did you mean {meant[0]!r}?")
