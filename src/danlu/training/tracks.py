"""Schedules put to work: what an optimizer's groups get at each step.

A group may have an `lr_factor` and a `weight_decay_factor`, by which the values of the
schedules are multiplied (layer-wise rates, no decay of biases). They stand in the group
itself, so that they are saved with the optimizer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from .schedules import Schedule, ScheduleEnd


@dataclass(frozen=True)
class Tracks:
    """Schedules of the learning rate and, if given, of momentum and weight decay.

    `set` is all that a loop needs, and a run that is resumed at a step needs that step
    alone. The momentum of an Adam is its `beta1`.

    >>> import torch
    >>> from danlu import training
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> tracks = training.Tracks(training.Cosine(0.1, steps=100))
    >>> for step in range(100):
    ...     tracks.set(optimizer, step)
    ...     optimizer.step()
    >>> optimizer.param_groups[0]["lr"] < 1e-4
    True
    """

    lr: Schedule
    momentum: Schedule | None = None
    weight_decay: Schedule | None = None

    @property
    def steps(self) -> float:
        """How many steps all of them have."""
        return self.shortest.steps

    @property
    def shortest(self) -> Schedule:
        """The first of them to end."""
        given = (self.lr, self.momentum, self.weight_decay)
        tracks = [track for track in given if track is not None]
        return min(tracks, key=lambda track: track.steps)

    def set(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        """Writes into the optimizer's groups what the update number `step` uses.

        Raises:
            ScheduleEnd: a schedule has no such step.
            ValueError: groups have different rates and no `lr_factor`, or a momentum or
                a decay is asked of an optimizer without one.
        """
        lr = self.lr(step)
        momentum = None if self.momentum is None else self.momentum(step)
        decay = None if self.weight_decay is None else self.weight_decay(step)
        groups = optimizer.param_groups
        for group in groups:  # at each step: faster than `any` of a generator
            if "lr_factor" not in group:
                _state_lr_factors(groups)
                break
        if decay is not None:
            _state_decay_factors(groups)
        for group in groups:
            _put(group, "lr", lr * group["lr_factor"])
            if momentum is not None:
                _put_momentum(group, momentum)
            if decay is not None:
                _put(group, "weight_decay", decay * group["weight_decay_factor"])

    def stretched(self, steps: int) -> Tracks:
        """All of them for a run of another length."""
        return Tracks(
            self.lr.stretched(steps),
            self.momentum and self.momentum.stretched(steps),
            self.weight_decay and self.weight_decay.stretched(steps),
        )


class ScheduleLR(LRScheduler):  # type: ignore[misc]  # torch is Any to the checker
    """`tracks` as the learning-rate scheduler that trainers of others ask for.

    `step()` after each update, as usual. What it holds is the number of steps: values
    come from the schedules alone, so that nothing can drift. A step after the last
    raises `ScheduleEnd`. It touches nothing of the optimizer but its groups.

    >>> import torch
    >>> from danlu import training
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = training.ScheduleLR(
    ...     optimizer, training.Tracks(training.Linear(0.1, steps=2)))
    >>> optimizer.step(); scheduler.step(); scheduler.get_last_lr()
    [0.05]
    """

    # The constructor of LRScheduler is not called on purpose: it would replace the
    # optimizer's `step` by one that counts.
    def __init__(
        self, optimizer: torch.optim.Optimizer, tracks: Tracks, *, step: int = 0
    ) -> None:
        self.optimizer = optimizer
        self.tracks = tracks
        tracks.set(optimizer, step)
        self.base_lrs = [tracks.lr(0) * f for f in self._factors()]
        self._at(step)

    def step(self, epoch: int | None = None) -> None:
        """Goes on to the next step, or to the step `epoch`.

        Raises:
            ScheduleEnd: one more update would be past the end.
        """
        self._at(self.last_epoch + 1 if epoch is None else epoch)

    def get_last_lr(self) -> list[float]:
        """The rate of each group for the next update."""
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """The step, and the schedules in words."""
        return {"step": self.last_epoch, "tracks": repr(self.tracks)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from the step that was saved.

        Raises:
            ValueError: what was saved follows other schedules.
        """
        if state_dict["tracks"] != repr(self.tracks):
            raise ValueError(
                f"the saved run followed {state_dict['tracks']}, this one follows "
                f"{self.tracks!r}: build the same schedules, or, to change them on "
                f"purpose, build ScheduleLR(..., step={state_dict['step']})"
            )
        self._at(state_dict["step"])

    def _at(self, step: int) -> None:
        steps = self.tracks.steps
        if step > steps:
            raise ScheduleEnd(self.tracks.shortest, step)
        # A scheduler is stepped once after the last update too. No update follows, so
        # the last values stay.
        self.tracks.set(self.optimizer, int(min(step, steps - 1)))
        self.last_epoch = step
        self._step_count = step + 1
        self._last_lr = [float(group["lr"]) for group in self.optimizer.param_groups]

    def _factors(self) -> list[float]:
        return [group["lr_factor"] for group in self.optimizer.param_groups]


def _state_lr_factors(groups: list[dict[str, Any]]) -> None:
    """Gives each group a factor of 1, if one rate is what all of them have."""
    rates = [float(group["lr"]) for group in groups]
    if len(set(rates)) > 1:
        raise ValueError(
            f"the groups of the optimizer have the rates {rates}, and a schedule would "
            "give all of them the same one: add to each group its `lr_factor`, by "
            "which the schedule's value is multiplied"
        )
    for group in groups:
        group.setdefault("lr_factor", 1.0)


def _state_decay_factors(groups: list[dict[str, Any]]) -> None:
    """Gives each group a factor: 0 where it had no decay at first, else 1."""
    new = [group for group in groups if "weight_decay_factor" not in group]
    if not new:
        return
    if not all("weight_decay" in group for group in new):
        raise ValueError(
            "a schedule of weight decay needs an optimizer whose groups have "
            f"`weight_decay`, this one has {sorted(new[0].keys() - {'params'})}"
        )
    decays = [float(group["weight_decay"]) for group in new]
    if len(new) == len(groups) and not any(decays):
        raise ValueError(
            "all groups of the optimizer have a weight decay of 0, and a schedule "
            "gives decay only to groups that have some: build the optimizer with one, "
            "or add to each group its `weight_decay_factor`"
        )
    for group, decay in zip(new, decays, strict=True):
        group["weight_decay_factor"] = 1.0 if decay else 0.0


def _put_momentum(group: dict[str, Any], value: float) -> None:
    if "momentum" in group:
        _put(group, "momentum", value)
    elif "betas" in group:
        group["betas"] = (value, group["betas"][1])
    else:
        raise ValueError(
            "a momentum schedule needs an optimizer whose groups have `momentum` or "
            f"`betas`, this one has {sorted(group.keys() - {'params'})}"
        )


def _put(group: dict[str, Any], name: str, value: float) -> None:
    """Writes in place where the value is a tensor: compiled steps are not rebuilt."""
    held = group.get(name)
    if isinstance(held, Tensor):
        held.fill_(value)
    else:
        group[name] = value
