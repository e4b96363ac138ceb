"""SGD with momentum and decoupled weight decay (Loshchilov & Hutter, 2019, Alg. 1).

As in torch's AdamW, the decay of a step is the rate times `weight_decay`, and the rate
multiplies the momentum when it is used, not when it is stored (the paper stores it
multiplied; both are the same at a constant rate).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer


class SGDW(Optimizer):  # type: ignore[misc]  # torch is Any to the checker
    """SGD whose weights shrink by `lr * weight_decay` of themselves at each step.

    Unlike L2 regularization, the decay does not pass through the momentum.

    >>> import torch
    >>> from danlu import training
    >>> weight = torch.nn.Parameter(torch.ones(1))
    >>> optimizer = training.SGDW([weight], lr=0.1, momentum=0.0, weight_decay=0.5)
    >>> weight.grad = torch.zeros(1)
    >>> optimizer.step()
    >>> round(weight.item(), 3)
    0.95

    Raises:
        ValueError: a setting is negative, or Nesterov is asked for without momentum.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        for name, value in settings.items():
            if not value >= 0:
                raise ValueError(f"SGDW needs {name} of at least 0, got {name}={value}")
        if nesterov and momentum == 0:
            raise ValueError("SGDW(nesterov=True) needs momentum > 0, got momentum=0")
        super().__init__(params, {**settings, "nesterov": nesterov})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update; returns what `closure` returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.no_grad():
            for group in self.param_groups:
                self._update(group)
        return loss

    def _update(self, group: dict[str, Any]) -> None:
        weights = [p for p in group["params"] if p.grad is not None]
        if not weights:
            return
        gradients = [parameter.grad for parameter in weights]
        rate, momentum = float(group["lr"]), group["momentum"]
        if group["weight_decay"]:
            kept = 1 - rate * group["weight_decay"]  # line 9: of the weights before
            torch._foreach_mul_(weights, kept)
        if momentum:
            buffers = [self._buffer(parameter) for parameter in weights]
            torch._foreach_mul_(buffers, momentum)
            torch._foreach_add_(buffers, gradients)  # line 8
            if group["nesterov"]:  # Sutskever et al. (2013), with the step looked ahead
                ahead = torch._foreach_mul(buffers, momentum)
                torch._foreach_add_(ahead, gradients)
                gradients = ahead
            else:
                gradients = buffers
        torch._foreach_add_(weights, gradients, alpha=-rate)

    def _buffer(self, parameter: torch.Tensor) -> torch.Tensor:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer: torch.Tensor = state["momentum_buffer"]
        return buffer
