"""A training program as factories: what the tests before tuning are made on.

Nothing is saved and put back: each test builds a model of its own, with fresh weights
from a seed, and throws it away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .examples import batch_of, shuffled, size_of
from .loader_examples import by_place

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Program:
    """A model, its optimizer, its loss and its examples, as factories.

    `train` and `val` are tuples of tensors with one row for each example, datasets with
    a length and an index, or DataLoaders of one. `loss(model, batch)` is the mean over
    the batch; `coupled` says that it is meant to compare the examples of a batch.
    `forward` gives the model's outputs for a batch; without it, `model(batch[0])`.
    `step(model, optimizer, batch)` is the program's own update, if it has one.
    `frozen` are beginnings of names that are not meant to be trained.

    >>> import torch
    >>> program = Program(
    ...     model=lambda params: torch.nn.Linear(4, 1),
    ...     optimizer=lambda model, params: torch.optim.SGD(model.parameters(), 0.1),
    ...     loss=lambda model, batch: (model(batch[0]) - batch[1]).square().mean(),
    ...     train=(torch.ones(9, 4), torch.ones(9, 1)))
    >>> model, optimizer = program.build()
    >>> model.training
    True
    """

    model: Callable[[Params], nn.Module]
    optimizer: Callable[[nn.Module, Params], Optimizer]
    loss: Callable[[nn.Module, Any], Tensor]
    train: Any
    val: Any = None
    params: Params = field(default_factory=lambda: {"lr": 1e-3})
    batch_size: int = 64
    forward: Callable[[nn.Module, Any], Any] | None = None
    step: Callable[[nn.Module, Optimizer, Any], object] | None = None
    frozen: tuple[str, ...] = ()
    coupled: bool = False
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("train", "val"):
            if (source := getattr(self, name)) is not None:
                object.__setattr__(self, name, by_place(source, name))
        if self.val is not None and not size_of(self.val):
            raise ValueError("Probe needs validation examples in `val`, got none")
        if size_of(self.train) < 2:
            raise ValueError(
                f"Probe needs at least 2 training examples, got {size_of(self.train)}"
            )
        if self.batch_size < 1:
            raise ValueError(f"Probe needs batch_size >= 1, got {self.batch_size}")

    def build(
        self, params: Params | None = None, *, seed: int | None = None
    ) -> tuple[nn.Module, Optimizer]:
        """A model with fresh weights, in train mode, and its optimizer.

        `params` are put over the probe's own. The same seed gives the same weights; the
        random state of the program is left as it was.
        """
        with seeded(self.seed if seed is None else seed):
            return self._built({**self.params, **(params or {})})

    def batches(
        self, size: int | None = None, *, seed: int | None = None
    ) -> Iterator[Any]:
        """Training batches, in a new order in each epoch, without end."""
        order = shuffled(
            size_of(self.train),
            self.batch_size if size is None else size,
            self.seed if seed is None else seed,
        )
        for places in order:
            yield batch_of(self.train, places, self.device)

    def outputs(self, model: nn.Module, batch: Any) -> Any:
        """What the model gives out for a batch.

        Raises:
            ValueError: there is no `forward`, and a batch does not begin with inputs.
        """
        if self.forward is not None:
            return self.forward(model, batch)
        if not isinstance(batch, tuple | list):
            raise ValueError(
                f"batches are {type(batch).__name__}, so that the model's inputs are "
                "not known: give the probe forward(model, batch)"
            )
        return model(batch[0])

    def value(self, model: nn.Module, batch: Any) -> float:
        """The loss as a number, without gradients unless the loss itself takes some."""
        try:
            with torch.no_grad():
                return float(self.loss(model, batch))
        except RuntimeError:
            with torch.enable_grad():
                return float(self.loss(model, batch).detach())

    def update(self, model: nn.Module, optimizer: Optimizer, batch: Any) -> float:
        """One plain update; the loss before it."""
        optimizer.zero_grad()
        loss = self.loss(model, batch)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    def own_update(self, model: nn.Module, optimizer: Optimizer, batch: Any) -> float:
        """One update by the program's `step`, a plain one without it; the loss before.

        A step that accumulates may make an update in some of its calls only.
        """
        if self.step is None:
            return self.update(model, optimizer, batch)
        loss = self.value(model, batch)
        self.step(model, optimizer, batch)
        return loss

    def _built(self, params: Params) -> tuple[nn.Module, Optimizer]:
        """Without what a schedule, which is not stepped here, did to the rates."""
        model = self.model(params).to(self.device)
        model.train()
        optimizer = self.optimizer(model, params)
        for group in optimizer.param_groups:
            group["lr"] = group.get("initial_lr", group["lr"])
        return model, optimizer


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draws of torch from a seed; afterward its random state is as before.

    >>> import torch
    >>> with seeded(0):
    ...     first = torch.rand(1)
    >>> with seeded(0):
    ...     bool(torch.rand(1) == first)
    True
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
