"""The executor for what is to be trained: a function, a command, or one as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .base import Executor

if TYPE_CHECKING:
    from ..client import LiveTrial
    from .limits import Limits


def executor_for(
    train: Callable[[LiveTrial], object] | Sequence[str] | Executor,
    slots: int,
    limits: Limits | None,
) -> Executor:
    """An executor as it is; a function or a command in processes of this machine.

    >>> from danlu.executors import Inline
    >>> inline = Inline(print)
    >>> executor_for(inline, slots=1, limits=None) is inline
    True
    """
    if isinstance(train, Executor):
        return train
    from .limits import Limits
    from .local import Local

    return Local(train, slots=slots, limits=limits or Limits())
