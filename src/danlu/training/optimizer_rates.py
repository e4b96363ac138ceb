"""An optimizer that someone else builds, at the rate that a probe asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer


def rate_of(optimizer: Optimizer) -> float:
    """The largest rate of its groups, before any schedule.

    >>> import torch
    >>> rate_of(torch.optim.SGD([torch.zeros(1)], lr=0.1))
    0.1
    """
    return max(_own_rate(group) for group in optimizer.param_groups)


def at_rate(optimizer: Optimizer, params: Mapping[str, Any]) -> Optimizer:
    """The same optimizer with `params["lr"]`, without what a schedule made of its rate.

    Groups keep their share of the largest rate.

    >>> import torch
    >>> sgd = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> warmup = torch.optim.lr_scheduler.LambdaLR(sgd, lambda step: 0.0)
    >>> at_rate(sgd, {"lr": 0.2}).param_groups[0]["lr"]
    0.2
    """
    top = rate_of(optimizer)
    for group in optimizer.param_groups:
        share = _own_rate(group) / top if top else 1.0
        group["lr"] = float(params["lr"]) * share
        group.pop("initial_lr", None)
    return optimizer


def _own_rate(group: Mapping[str, Any]) -> float:
    return float(group.get("initial_lr", group["lr"]))
