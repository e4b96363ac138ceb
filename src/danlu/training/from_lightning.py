"""A probe of a `LightningModule` and its data, for `Probe.from_lightning`."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from .loader_examples import examples_of, plainly_drawn
from .optimizer_rates import at_rate, rate_of
from .program import seeded

try:
    from lightning.pytorch import LightningDataModule, LightningModule
except ImportError as error:
    raise ImportError(
        "Probe.from_lightning needs Lightning 2: pip install 'danlu[lightning]' "
        f"({error})"
    ) from error

Params = Mapping[str, Any]


def lightning_program(
    module: LightningModule | Callable[[Params], LightningModule],
    loaders: LightningDataModule | Any,
    *,
    val: Any = None,
    params: Params | None = None,
) -> dict[str, Any]:
    """The fields of a `Program`: `training_step` is its loss, on a copy of the module.

    Raises:
        ValueError: it optimizes by hand, has several optimizers, or examples cannot be
            had by their place.
    """
    build = _copies(module) if isinstance(module, LightningModule) else module
    if isinstance(loaders, LightningDataModule):
        loaders.prepare_data()
        loaders.setup("fit")
        loaders, val = loaders.train_dataloader(), _val_of(loaders)
    train = examples_of(loaders)
    with seeded(0):
        first = _prepared(build, params or {})
        rate = rate_of(_configured(first))
    return {
        "model": partial(_prepared, build),
        "optimizer": _optimizer,
        "loss": _loss,
        "train": train,
        "val": None if val is None else examples_of(val),
        "batch_size": plainly_drawn(loaders).batch_size,
        "params": {"lr": rate, **(params or {})},
    }


def _copies(module: LightningModule) -> Callable[[Params], LightningModule]:
    """Copies of the module as it is now."""
    if getattr(module, "_trainer", None) is not None:
        raise ValueError(
            "the module was trained already, and a probe begins with first weights: "
            "give it before trainer.fit, or a function params -> module"
        )
    first = copy.deepcopy(module)
    return lambda params: copy.deepcopy(first)


def _val_of(loaders: LightningDataModule) -> Any:
    if type(loaders).val_dataloader is LightningDataModule.val_dataloader:
        return None
    found = loaders.val_dataloader()
    return found[0] if isinstance(found, list | tuple) and len(found) == 1 else found


def _prepared(
    build: Callable[[Params], LightningModule], params: Params
) -> LightningModule:
    """A module that can be called without a trainer."""
    module = build(params)
    if not module.automatic_optimization:
        raise ValueError(
            f"{type(module).__name__} optimizes by hand (automatic_optimization=False),"
            " and a probe does the updates: give danlu.training.Probe its parts"
        )
    steps = inspect.signature(module.training_step).parameters
    if "dataloader_iter" in steps:
        raise ValueError(
            "training_step(dataloader_iter) reads batches by itself, and a probe hands "
            "them in: training_step(batch, batch_idx)"
        )
    module.configure_model()
    module.log = module.log_dict = _unheard  # they ask for a trainer
    return module


def _unheard(*_: Any, **__: Any) -> None:
    """Takes what is logged."""


def _optimizer(module: nn.Module, params: Params) -> Optimizer:
    return at_rate(_configured(module), params)


def _configured(module: Any) -> Optimizer:
    """The one optimizer that the module configures."""
    with _alone(module, "configure_optimizers"):
        found = module.configure_optimizers()
    if isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], list):
        found = found[0]  # optimizers and schedulers
    several = list(found) if isinstance(found, list | tuple) else [found]
    several = [own["optimizer"] if isinstance(own, dict) else own for own in several]
    if len(several) != 1 or not isinstance(several[0], Optimizer):
        names = [type(own).__name__ for own in several]
        raise ValueError(
            f"a probe does updates with one optimizer, and configure_optimizers of "
            f"{type(module).__name__} gives {names}"
        )
    return several[0]


def _loss(module: Any, batch: Any) -> Tensor:
    batch = module.on_before_batch_transfer(batch, 0)
    batch = module.on_after_batch_transfer(batch, 0)
    takes_place = len(inspect.signature(module.training_step).parameters) > 1
    with _alone(module, "training_step"):
        found = module.training_step(*((batch, 0) if takes_place else (batch,)))
    loss = found["loss"] if isinstance(found, Mapping) else found
    if not isinstance(loss, Tensor):
        raise ValueError(
            f"training_step of {type(module).__name__} gives {type(loss).__name__} "
            "where a loss is needed"
        )
    return loss


@contextmanager
def _alone(module: Any, method: str) -> Iterator[None]:
    """Says what to do where the module asks for a trainer that it does not have."""
    try:
        yield
    except RuntimeError as error:
        if "not attached to a `Trainer`" not in str(error):
            raise
        raise ValueError(
            f"{method} of {type(module).__name__} asks for self.trainer, and a probe "
            "has none: pass what it needs to the module, or give danlu.training.Probe "
            "its parts"
        ) from error
