"""Clipping of gradients, and where to clip (playbook T7, T8)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from .finding import Finding
from .norms import GradientNorms

QUANTILE = 0.9  # of unclipped norms: clips one update in ten (playbook T7)
MOST_CLIPPED = 0.5  # above it the learning rate is what is too large (playbook T7)
FEWEST = 20  # norms to know a 90th percentile by: two lie above it


def clip_by_norm(norms: GradientNorms, limit: float) -> bool:
    """Shrinks all gradients alike so that their norm is `limit`, if it is larger.

    Says whether it did. Gradients that are not finite are left as they are: shrinking
    them would make zeros of the finite ones. Skip that update, as `take_step` does.

    >>> import torch
    >>> from danlu import training
    >>> weight = torch.zeros(2, requires_grad=True)
    >>> weight.grad = torch.tensor([3.0, 4.0])
    >>> training.clip_by_norm(training.gradient_norms([weight]), limit=1.0)
    True
    >>> weight.grad
    tensor([0.6000, 0.8000])

    Raises:
        ValueError: the limit is not positive.
    """
    _check_limit(limit)
    total = float(norms.total)
    if not math.isfinite(total) or total <= limit:
        return False
    with torch.no_grad():
        for gradients in _alike(norms.gradients):
            torch._foreach_mul_(gradients, limit / total)
    return True


def clip_by_value(norms: GradientNorms, limit: float) -> bool:
    """Cuts every entry of the gradients to between `-limit` and `limit`.

    Says whether that could have changed one. Gradients that are not finite are left as
    they are.

    >>> import torch
    >>> from danlu import training
    >>> weight = torch.zeros(2, requires_grad=True)
    >>> weight.grad = torch.tensor([3.0, -0.5])
    >>> training.clip_by_value(training.gradient_norms([weight]), limit=1.0)
    True
    >>> weight.grad
    tensor([ 1.0000, -0.5000])

    Raises:
        ValueError: the limit is not positive.
    """
    _check_limit(limit)
    total = float(norms.total)
    if not math.isfinite(total) or total <= limit:  # no entry exceeds the norm
        return False
    with torch.no_grad():
        for parameter in norms.parameters:
            if parameter.grad.is_sparse:  # a row may be stored in several parts
                parameter.grad = parameter.grad.coalesce()
            gradient = parameter.grad
            values = gradient._values() if gradient.is_sparse else gradient
            values.clamp_(-limit, limit)
    return True


def clip_threshold(norms: Sequence[float], *, quantile: float = QUANTILE) -> float:
    """The norm to clip at: the 90th percentile of norms that were not clipped.

    >>> from danlu import training
    >>> training.clip_threshold([float(norm) for norm in range(1, 102)])
    91.0

    Raises:
        ValueError: there are fewer than 20 finite norms.
    """
    finite = torch.tensor([norm for norm in norms if math.isfinite(norm)])
    if len(finite) < FEWEST:
        raise ValueError(
            f"clip_threshold needs {FEWEST} finite norms, got {len(finite)} of "
            f"{len(norms)}: train for more steps without clipping"
        )
    return float(torch.quantile(finite.double(), quantile))


def check_clipping(norms: Sequence[float], limit: float) -> Finding:
    """Whether clipping at `limit` is what the norms before clipping ask for.

    >>> from danlu import training
    >>> training.check_clipping([3.0] * 60 + [0.5] * 40, limit=1.0).level
    'warning'
    """
    seen = len(norms)
    if seen < FEWEST:
        return Finding(
            "clipping",
            "unknown",
            f"{seen} updates are too few to tell how often clipping acts.",
            evidence={"missing": FEWEST - seen},
        )
    share = sum(not norm <= limit for norm in norms) / seen
    evidence = {"clipped": share, "limit": limit, "updates": seen}
    if share > MOST_CLIPPED:
        return Finding(
            "clipping",
            "warning",
            f"{share:.0%} of {seen} updates were clipped at {limit:g}.",
            "Cut the learning rate instead: clipping is meant for rare spikes.",
            evidence,
        )
    return Finding(
        "clipping", "ok", f"{share:.0%} of {seen} updates were clipped.", "", evidence
    )


def _check_limit(limit: float) -> None:
    if not limit > 0:
        raise ValueError(f"gradients are clipped at a limit > 0, got limit={limit}")


def _alike(gradients: list[torch.Tensor]) -> list[list[torch.Tensor]]:
    """Dense gradients in one list, and the values of sparse ones in another."""
    dense = [gradient for gradient in gradients if not gradient.is_sparse]
    stored = [gradient._values() for gradient in gradients if gradient.is_sparse]
    return [part for part in (dense, stored) if part]
