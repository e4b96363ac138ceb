"""A probe of what a Hugging Face `Trainer` would train, for `Probe.from_hf`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from .loader_examples import Examples, examples_of
from .optimizer_rates import at_rate

Params = Mapping[str, Any]


def hugging_face_program(
    trainer: Any, *, params: Params | None = None
) -> dict[str, Any]:
    """The fields of a `Program`: `compute_loss` is its loss, on a copy of the model.

    Raises:
        ValueError: it was trained already, was given an optimizer, or examples cannot
            be had by their place.
    """
    if trainer.optimizer is not None:
        raise ValueError(
            "the trainer has its optimizer already, from an earlier training or from "
            "`optimizers=`, and a probe builds one for each model: give a new Trainer "
            "without it (TrainingArguments(optim=...), or optimizer_cls_and_kwargs=)"
        )
    loader = trainer.get_train_dataloader()
    names = _names(trainer, loader)
    train, val = _labeled(loader, names), None
    if trainer.eval_dataset is not None:
        val = _labeled(trainer.get_eval_dataloader(), names)
    return {
        "model": _models(trainer),
        "optimizer": partial(_optimizer, trainer),
        "loss": partial(_loss, trainer, names),
        "forward": partial(_forward, names),
        "train": train,
        "val": val,
        "batch_size": trainer.args.per_device_train_batch_size,
        "params": {"lr": trainer.args.learning_rate, **(params or {})},
        "device": str(trainer.args.device),
    }


def _models(trainer: Any) -> Any:
    """Fresh models if the trainer has a `model_init`, else copies of its model."""
    if trainer.model_init is not None:
        return lambda params: trainer.call_model_init()
    first = copy.deepcopy(trainer.model)
    return lambda params: copy.deepcopy(first)


def _names(trainer: Any, loader: Any) -> tuple[str, ...]:
    """The names in a batch, that of the labels last."""
    examples_of(loader)  # an error where examples have no place
    found = loader.collate_fn([loader.dataset[0]])
    label = next(iter(trainer.label_names or ["labels"]))
    if not isinstance(found, Mapping) or label not in found:
        keys = sorted(found) if isinstance(found, Mapping) else type(found).__name__
        raise ValueError(
            f"a probe needs batches with {label!r}, and this trainer's have {keys}: "
            "TrainingArguments(label_names=[...]) names the labels"
        )
    return (*(name for name in found if name != label), label)


def _labeled(loader: Any, names: tuple[str, ...]) -> Examples:
    """Examples whose batches are (inputs, labels), as the checks know them."""
    return Examples(loader.dataset, partial(_pair, loader.collate_fn, names=names))


def _pair(collate: Any, items: list[Any], *, names: tuple[str, ...]) -> Any:
    """A batch as (inputs, labels); one input by itself, several by name."""
    batch = collate(items)
    *others, label = names
    if len(others) == 1:
        return batch[others[0]], batch[label]
    return {name: batch[name] for name in others}, batch[label]


def _named(names: tuple[str, ...], batch: Any) -> dict[str, Any]:
    """The inputs of a pair, by name."""
    *others, _ = names
    return {others[0]: batch[0]} if len(others) == 1 else dict(batch[0])


def _optimizer(trainer: Any, model: nn.Module, params: Params) -> Optimizer:
    """The optimizer that the trainer would build, for this model."""
    own = copy.copy(trainer)  # it keeps what it builds: not in the trainer itself
    own.model = model
    own.optimizer = None
    own.create_optimizer()
    return at_rate(own.optimizer, params)


def _loss(trainer: Any, names: tuple[str, ...], model: nn.Module, batch: Any) -> Tensor:
    inputs = {**_named(names, batch), names[-1]: batch[1]}
    loss: Tensor = trainer.compute_loss(model, inputs)
    return loss


def _forward(names: tuple[str, ...], model: nn.Module, batch: Any) -> Any:
    outputs = model(**_named(names, batch))
    return outputs["logits"] if isinstance(outputs, Mapping) else outputs[0]
