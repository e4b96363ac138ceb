"""Gradients layer by layer while training, as findings (playbook T7)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

import torch
from torch import nn

from .finding import Finding
from .gradient_findings import CHECK, Kind, LayerGradients, judged_gradients
from .groups import embedded
from .norms import GradientNorms
from .unwrapping import plain_name, unwrapped

EVERY = 10  # a look costs about 1 % of an update of a small network, so a tenth of that
FEWEST = 5  # looks that a verdict takes
KEPT = 10_000  # looks, and norms of updates, that are remembered


class GradientMonitor:
    """Watches the gradients of `model` and its updates, every `every`-th in full.

    `take_step(..., monitor=...)` uses it. Alone: `look(norms)` after the backward pass,
    then the update within `moving()`. `norms` are the total norms of all updates.

    >>> import torch
    >>> from danlu import training
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> monitor = training.GradientMonitor(model, every=1)
    >>> for _ in range(5):
    ...     optimizer.zero_grad()
    ...     model[1](torch.ones(4, 2)).sum().backward()
    ...     update = training.take_step(optimizer, monitor=monitor)
    >>> monitor.findings()[0].message
    'No gradient reaches 0.weight, 0.bias.'

    Raises:
        ValueError: `every` is below 1.
    """

    def __init__(self, model: nn.Module, *, every: int = EVERY) -> None:
        if every < 1:
            raise ValueError(
                f"GradientMonitor looks every 1 or more updates, got every={every}"
            )
        self.norms: deque[float] = deque(maxlen=KEPT)
        self._every = every
        self._watched = _watched(unwrapped(model))
        self._of = {watched.parameter: watched for watched in self._watched}
        self._updates = 0
        self._looks = 0
        self._due = False

    def look(self, norms: GradientNorms) -> float:
        """Remembers the norms; returns that of all gradients together."""
        self._due = self._updates % self._every == 0
        self._updates += 1
        if self._due:
            *each, total = norms.values()
            self._looks += 1
            self._remember(norms.parameters, each)
        else:
            total = float(norms.total)
        self.norms.append(total)
        return total

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Around the update: measures what it changes, where `look` saw each layer."""
        if not self._due or not self._watched:
            yield
            return
        weights = [watched.parameter.detach() for watched in self._watched]
        before = [weight.clone() for weight in weights]
        yield
        for watched, ratio in zip(
            self._watched, _relative(weights, before), strict=True
        ):
            if math.isfinite(ratio):  # not where the weights were all zero
                watched.updates.append(ratio)

    def layers(self) -> list[LayerGradients]:
        """Each trained parameter in the model's order, with medians over the looks."""
        return [watched.seen() for watched in self._watched]

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the gradients, one `ok` if nothing is."""
        if self._looks >= FEWEST:
            return judged_gradients(self.layers(), self.norms)
        missing = (FEWEST - self._looks) * self._every
        return (
            Finding(
                CHECK,
                "unknown",
                f"{self._updates} updates are too few to judge gradients.",
                f"Train for about {missing} more.",
                {"missing": missing},
            ),
        )

    def _remember(
        self, parameters: Sequence[torch.Tensor], each: Sequence[float]
    ) -> None:
        measured = set()
        for parameter, norm in zip(parameters, each, strict=True):
            measured.add(parameter)
            watched = self._of.get(parameter)
            if watched is not None:
                watched.is_measured = True
                if math.isfinite(norm):
                    watched.gradients.append(norm)
        for parameter, watched in self._of.items():
            if parameter not in measured and parameter.grad is not None:
                watched.is_left_out = True


@dataclass
class _Watched:
    """One parameter, and what was seen of it."""

    name: str
    parameter: torch.Tensor
    kind: Kind
    is_measured: bool = False  # with a gradient, by some optimizer's update
    is_left_out: bool = False  # of an update, though it had one
    gradients: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    updates: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))

    def seen(self) -> LayerGradients:
        """The medians."""
        weight = self.parameter.detach()
        reached = math.nan if self.is_measured else None
        return LayerGradients(
            self.name,
            median(self.gradients) if self.gradients else reached,
            float(_wide(weight).norm()),
            median(self.updates) if self.updates else None,
            optimized=self.is_measured or not self.is_left_out,
            kind=self.kind,
            precision=torch.finfo(weight.dtype).eps,
        )


def _watched(model: nn.Module) -> list[_Watched]:
    """The trained parameters, in the model's order."""
    tables = embedded(model)
    return [
        _Watched(plain_name(name), parameter, _kind(parameter, tables))
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    ]


def _kind(parameter: torch.Tensor, tables: Collection[int]) -> Kind:
    if parameter.ndim < 2:
        return "vector"
    return "table" if id(parameter) in tables else "matrix"


def _relative(
    weights: Sequence[torch.Tensor], before: Sequence[torch.Tensor]
) -> list[float]:
    """How much of its size each weight moved by."""
    pairs = zip(weights, before, strict=True)
    with torch.no_grad():
        sizes = torch._foreach_norm([_wide(old) for old in before])
        moved = torch._foreach_norm([_wide(now) - _wide(old) for now, old in pairs])
        ratios = torch.stack(_at_one_place(moved)) / torch.stack(_at_one_place(sizes))
    listed: list[float] = ratios.tolist()
    return listed


def _wide(weight: torch.Tensor) -> torch.Tensor:
    """The weight in at least 32 bits, as a complex number's two parts."""
    return (torch.view_as_real(weight) if weight.is_complex() else weight).float()


def _at_one_place(norms: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The norms on one device, where the model lies on several."""
    return [norm.to(norms[0].device) for norm in norms]
