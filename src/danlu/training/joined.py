"""Several optimizers as one: each moves its own parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

import torch
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

Hook: TypeAlias = Callable[[Optimizer, tuple[Any, ...], dict[str, Any]], None]


class Joined(Optimizer):  # type: ignore[misc]  # torch is Any to the checker
    """`optimizers` that step together, with the groups of all of them.

    >>> import torch
    >>> from danlu import training
    >>> own = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    >>> both = training.Joined(
    ...     [torch.optim.SGD(own[:1], lr=0.1), torch.optim.AdamW(own[1:], lr=0.01)])
    >>> [group["lr"] for group in both.param_groups]
    [0.1, 0.01]

    Raises:
        ValueError: a parameter is in two of them.
    """

    # The constructor of Optimizer is not called: groups and state are those of parts.
    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self.optimizers = tuple(optimizers)
        held = [id(p) for group in self.param_groups for p in group["params"]]
        if len(held) != len(set(held)):
            raise ValueError("a parameter is moved by two of the joined optimizers")
        self.defaults: dict[str, Any] = {}
        for part in self.optimizers[:-1]:
            part.is_followed = True  # by another in the same update: see `counted`

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all, in order; they may be changed in place."""
        return [group for part in self.optimizers for group in part.param_groups]

    @property
    def state(self) -> MutableMapping[Any, Any]:
        """What is remembered of each parameter, by the part that moves it."""
        return _States(self.optimizers)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of each; returns what `closure` returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.optimizers:
            part.step()
        return loss

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Calls `hook` before each update, with all parameters still to be moved."""
        first = self.optimizers[0]
        return first.register_step_pre_hook(lambda _, *given: hook(self, *given))

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Calls `hook` after each update, with all parameters moved."""
        last = self.optimizers[-1]
        return last.register_step_post_hook(lambda _, *given: hook(self, *given))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters."""
        for part in self.optimizers:
            part.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """The states of all, in order."""
        return {"optimizers": [part.state_dict() for part in self.optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        parts = zip(self.optimizers, state_dict["optimizers"], strict=True)
        for part, saved in parts:
            part.load_state_dict(saved)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Never: it would be a guess which of them is meant."""
        raise NotImplementedError(
            "add the group to one of `optimizers`: the joined ones cannot know which"
        )

    def __repr__(self) -> str:
        return f"Joined({list(self.optimizers)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Joined, (self.optimizers,)


class _States(MutableMapping[Any, Any]):
    """The states of several optimizers as one."""

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self._states = [part.state for part in optimizers]
        self._own = {
            id(parameter): part.state
            for part in optimizers
            for group in part.param_groups
            for parameter in group["params"]
        }

    def __getitem__(self, parameter: Any) -> Any:
        return self._own[id(parameter)][parameter]

    def __setitem__(self, parameter: Any, state: Any) -> None:
        self._own[id(parameter)][parameter] = state

    def __delitem__(self, parameter: Any) -> None:
        del self._own[id(parameter)][parameter]

    def __contains__(self, parameter: object) -> bool:
        return any(parameter in state for state in self._states)

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self._states)

    def __len__(self) -> int:
        return sum(len(state) for state in self._states)
