"""Stochastic depth: residual branches that are left out at random.

Huang et al. (2016), "Deep networks with stochastic depth".
"""

from __future__ import annotations

import torch
from torch import nn


class DropPath(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    """Leaves a residual branch out for a share `rate` of the samples, when training.

    What is kept is divided by the kept share, so that its mean stays and evaluation
    needs nothing. Put it on the branch, not on the sum: `x + drop(branch(x))`.

    >>> import torch
    >>> from danlu import training
    >>> drop = training.DropPath(0.5)
    >>> _ = torch.manual_seed(0)
    >>> sorted(set(drop(torch.ones(100, 1)).flatten().tolist()))
    [0.0, 2.0]
    >>> drop.eval()(torch.ones(2, 1)).tolist()
    [[1.0], [1.0]]

    Raises:
        ValueError: the rate is not in [0, 1).
    """

    def __init__(self, rate: float) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"DropPath needs a rate from 0 to below 1, got {rate}")
        super().__init__()
        self.rate = rate

    def forward(self, branch: torch.Tensor) -> torch.Tensor:
        """The branch, of shape (n, ...), with whole samples left out."""
        if not self.training or self.rate == 0:
            return branch
        kept = 1 - self.rate
        shape = (branch.shape[0],) + (1,) * (branch.ndim - 1)
        mask = torch.empty(shape, dtype=branch.dtype, device=branch.device)
        return branch * mask.bernoulli_(kept).div_(kept)

    def extra_repr(self) -> str:
        """The rate, as the module is printed."""
        return f"rate={self.rate:g}"


def drop_path_rates(depth: int, last: float) -> list[float]:
    """Rates that rise on a line with the depth, to `last` (Huang et al., eq. 4).

    >>> from danlu import training
    >>> training.drop_path_rates(4, last=0.2)
    [0.05, 0.1, 0.15, 0.2]

    Raises:
        ValueError: `depth` is below 1.
    """
    if depth < 1:
        raise ValueError(f"drop_path_rates needs a depth of at least 1, got {depth}")
    return [round(last * block / depth, 12) for block in range(1, depth + 1)]
