"""Averages of the weights over a run: exponential, or the plain mean of a stretch.

Polyak & Juditsky (1992) take the mean; the exponential average forgets. Its half-life
is in samples, so that it means the same at every batch size (Busbridge et al., 2023).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import nn

from .unwrapping import plain_name, unwrapped

LOW_PRECISION = (torch.float16, torch.bfloat16)
LOOKED = 16  # updates; to look at each tensor takes a tenth of an update


class WeightAverage:
    """An average of a model's weights whose past counts half after `half_life` samples.

    `update(samples)` after each update of the weights, or after several of them, with
    the samples seen since. With `half_life=math.inf` it is the plain mean of what it
    saw: of the whole run (Polyak), or of its tail if the updates begin late. There is
    no bias toward the first weights. Several averages can follow one model.

    Numbers in buffers are averaged like weights, or with `buffers="copy"` taken over;
    counters and masks are always taken over. Weights of 16 bits are averaged in 32.
    It follows the tensors that the model has when it is made, whatever is put into
    them. Whether the model still has them is looked at in `applied` and at the first
    and every 16th update.

    >>> import torch
    >>> from danlu import training
    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> average = training.WeightAverage(model, half_life=100)
    >>> for value in (1.0, 3.0):
    ...     _ = model.weight.data.fill_(value)
    ...     average.update(samples=100)
    >>> with average.applied():  # the second counts twice as much as the first
    ...     print(round(model.weight.item(), 4))
    2.3333
    >>> model.weight.item()
    3.0

    Raises:
        ValueError: the half-life is not positive.
    """

    def __init__(
        self,
        model: nn.Module,
        half_life: float,
        *,
        buffers: Literal["average", "copy"] = "average",
    ) -> None:
        if not half_life > 0:
            raise ValueError(
                "a half-life is a positive number of samples (math.inf for a plain "
                f"mean), got half_life={half_life}"
            )
        if buffers not in ("average", "copy"):
            raise ValueError(f'buffers is "average" or "copy", got {buffers!r}')
        self.half_life = half_life
        self._model = unwrapped(model)
        self._mass = 0.0
        self._updates = 0
        self._sources = _tensors(self._model)
        averaged = [
            name
            for name, (tensor, is_weight) in self._sources.items()
            if tensor.is_floating_point() or tensor.is_complex()
            if is_weight or buffers == "average"
        ]
        self._averages = {
            name: _wide(tensor) for name, (tensor, _) in self._sources.items()
        }
        self._pairs = _Pairs(self._own(averaged), self._seen(averaged))
        taken = [name for name in self._sources if name not in set(averaged)]
        self._taken = self._own(taken), self._seen(taken)
        self._places = list(_places(self._model, self._seen(list(self._sources))))

    def update(self, samples: float) -> None:
        """Takes in the weights as they are now, `samples` after the last update.

        Raises:
            ValueError: `samples` is not positive.
            RuntimeError: the model was seen to have other tensors now than when the
                average was made, or they are of another type or on another device.
        """
        if not samples > 0:
            raise ValueError(f"update needs samples > 0, got samples={samples}")
        if self._updates % LOOKED == 0:
            self._check_places()
        self._updates += 1
        share = self._share(samples)
        with torch.no_grad():
            try:
                self._pairs.move(share)
            except RuntimeError as error:
                if self._pairs.fit:
                    raise
                raise _replaced() from error
            _copy(*self._taken)

    def weights(self) -> dict[str, torch.Tensor]:
        """The averages under the names that the plain model has, for its load."""
        return {
            name: average.to(self._sources[name][0].dtype, copy=True)
            for name, average in self._averages.items()
        }

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it the model has the averaged weights; afterward its own again.

        Raises:
            RuntimeError: nothing was averaged yet, or the model has other tensors now
                than when the average was made.
        """
        self._check_sources()
        if self._mass == 0:
            raise RuntimeError("nothing is averaged yet: call `update` first")
        held = [seen for seen, _ in self._sources.values()]
        with torch.no_grad():
            before = [seen.clone() for seen in held]
            _copy(held, list(self._averages.values()))
        try:
            yield
        finally:
            with torch.no_grad():
                _copy(held, before)

    def state_dict(self) -> dict[str, Any]:
        """The averages and how much they have seen, under plain names."""
        return {
            "averages": {name: own.clone() for name, own in self._averages.items()},
            "mass": self._mass,
            "half_life": self.half_life,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave, of a compiled or a plain model alike.

        Raises:
            ValueError: it is of other weights, or of another half-life.
        """
        saved = state_dict["averages"]
        self._check_saved(saved)
        if state_dict["half_life"] != self.half_life:
            raise ValueError(
                f"the saved average has half_life={state_dict['half_life']}, this one "
                f"{self.half_life}: build it with the same"
            )
        self._mass = state_dict["mass"]
        for name, own in self._averages.items():
            own.copy_(saved[name])

    def _share(self, samples: float) -> float:
        """How much of the new average the present weights are.

        A sample that was seen `a` samples ago has the weight 2^(-a / half_life). The
        weights of a stretch are its integral; dividing by that of all there was
        corrects the bias exactly, at every length.
        """
        rate = math.log(2) / self.half_life
        if rate == 0:  # a plain mean
            kept, new = 1.0, samples
        else:
            kept, new = math.exp(-rate * samples), -math.expm1(-rate * samples) / rate
        self._mass = kept * self._mass + new
        return new / self._mass

    def _check_places(self) -> None:
        if any(held.get(name) is not seen for held, name, seen in self._places):
            raise _replaced()

    def _check_sources(self) -> None:
        now = _tensors(self._model)
        same = now.keys() == self._sources.keys() and all(
            now[name][0] is tensor for name, (tensor, _) in self._sources.items()
        )
        if not same:
            raise _replaced()

    def _check_saved(self, saved: dict[str, torch.Tensor]) -> None:
        if saved.keys() != self._averages.keys():
            other = sorted(saved.keys() ^ self._averages.keys())
            raise ValueError(f"the saved average has other weights: {other[:5]}")
        for name, own in self._averages.items():
            if saved[name].shape != own.shape:  # `copy_` would broadcast
                raise ValueError(
                    f"the saved average has {name} of shape {tuple(saved[name].shape)},"
                    f" this one of {tuple(own.shape)}: build the same model"
                )

    def _own(self, names: Sequence[str]) -> list[torch.Tensor]:
        return [self._averages[name] for name in names]

    def _seen(self, names: Sequence[str]) -> list[torch.Tensor]:
        return [self._sources[name][0] for name in names]


class _Pairs:
    """Averages beside what they follow, in lists that are made once."""

    def __init__(
        self, averages: Sequence[torch.Tensor], sources: Sequence[torch.Tensor]
    ) -> None:
        pairs = list(zip(averages, sources, strict=True))
        same = [(own, seen) for own, seen in pairs if own.dtype == seen.dtype]
        self._same = [own for own, _ in same], [seen for _, seen in same]
        self._wider = [pair for pair in pairs if pair[0].dtype != pair[1].dtype]

    @property
    def fit(self) -> bool:
        """Whether sources still have the types and devices of their averages."""
        same = list(zip(*self._same, strict=True))
        pairs = [*same, *self._wider]
        return all(own.dtype == seen.dtype for own, seen in same) and all(
            own.device == seen.device for own, seen in pairs
        )

    def move(self, share: float) -> None:
        """Moves each average toward its source, by `share` of the way."""
        own, seen = self._same
        if own:
            _lerp(own, seen, share)
        if self._wider:
            wide = [seen.to(average.dtype) for average, seen in self._wider]
            _lerp([average for average, _ in self._wider], wide, share)


def _lerp(
    own: Sequence[torch.Tensor], seen: Sequence[torch.Tensor], share: float
) -> None:
    foreach = getattr(torch, "_foreach_lerp_", None)
    if foreach is not None:
        foreach(own, seen, share)
        return
    for average, tensor in zip(own, seen, strict=True):
        average.lerp_(tensor, share)


def _copy(targets: Sequence[torch.Tensor], sources: Sequence[torch.Tensor]) -> None:
    foreach = getattr(torch, "_foreach_copy_", None)
    if foreach is not None and targets:
        foreach(targets, sources)
        return
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source)


def _tensors(model: nn.Module) -> dict[str, tuple[torch.Tensor, bool]]:
    """Weights and lasting buffers by plain name, and whether each is a weight."""
    kept = model.state_dict(keep_vars=True)
    weights = dict(model.named_parameters(remove_duplicate=False))
    return {
        plain_name(name): (tensor, name in weights)
        for name, tensor in kept.items()
        if isinstance(tensor, torch.Tensor)
    }


def _places(
    model: nn.Module, sources: Sequence[torch.Tensor]
) -> Iterator[tuple[dict[str, Any], str, torch.Tensor]]:
    """Where in the model's modules each tensor stands."""
    followed = {id(tensor) for tensor in sources}
    for module in model.modules():
        for held in (module._parameters, module._buffers):
            for name, tensor in held.items():
                if id(tensor) in followed:
                    yield held, name, tensor


def _replaced() -> RuntimeError:
    return RuntimeError(
        "the model's tensors were replaced since the average was made, or are of "
        "another type or on another device now, so that it cannot follow them: make it "
        "after the model is moved, cast and loaded"
    )


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    """A copy that can hold small changes."""
    kind = torch.float32 if tensor.dtype in LOW_PRECISION else tensor.dtype
    return tensor.detach().to(kind, copy=True)
