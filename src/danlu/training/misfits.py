"""How wrong examples are: by their labels where there are some, else by the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .preflight_batches import is_about_labels, labels_of, scores_of
from .program import Program, seeded

Misfits: TypeAlias = Callable[[Program, nn.Module, Any], Tensor]

SAME = 1e-4  # relative, of two means of the same losses


def measure_of(program: Program, batches: Iterable[Any]) -> Misfits:
    """`wrong_labels` where outputs are scores of the labels, else `mean_loss`.

    >>> program = Program(
    ...     model=lambda params: torch.nn.Linear(4, 1),
    ...     optimizer=lambda model, params: torch.optim.SGD(model.parameters(), 0.1),
    ...     loss=lambda model, batch: (model(batch[0]) - batch[1]).square().mean(),
    ...     train=(torch.ones(9, 4), torch.ones(9, 1)))
    >>> measure_of(program, [program.train]) is mean_loss
    True
    """
    model, _ = program.build()
    model.eval()
    with torch.no_grad(), seeded(program.seed):
        in_place = all(_are_scores(program, model, batch) for batch in batches)
    return wrong_labels if in_place else mean_loss


def mean_loss(program: Program, model: nn.Module, batch: Any) -> Tensor:
    """The mean loss of a batch, (1,)."""
    return torch.tensor([program.value(model, batch)], dtype=torch.float64)


def wrong_labels(program: Program, model: nn.Module, batch: Any) -> Tensor:
    """The share of each example's labels that it gets wrong, (n,).

    Labels below 0 are those that cross entropy ignores. One nan where an output is not
    finite.
    """
    scores, labels = scores_of(program.outputs(model, batch), batch), labels_of(batch)
    if scores is None or labels is None or not bool(scores.isfinite().all()):
        return torch.full((1,), math.nan, dtype=torch.float64)
    rows = labels.reshape(len(labels), -1)
    wrong = (scores.argmax(-1).reshape(rows.shape) != rows) & (rows >= 0)
    return (wrong.sum(1) / (rows >= 0).sum(1).clamp(min=1)).double().cpu()


def _are_scores(program: Program, model: nn.Module, batch: Any) -> bool:
    """Whether each output is about the label at its own place.

    Those of a language model may be about the next one, which its loss knows: then the
    cross entropy of outputs and labels as they stand is another number.
    """
    labels = labels_of(batch)
    if labels is None:
        return False
    scores = scores_of(program.outputs(model, batch), batch)
    if scores is None:
        return False
    if labels.ndim == 1:
        return is_about_labels(program, model, batch)
    in_place = cross_entropy(scores.flatten(0, -2), labels.flatten())
    return math.isclose(program.value(model, batch), in_place, rel_tol=SAME)
