"""The processes that train together: how many, which one this is, where they meet."""

from __future__ import annotations

import torch
from torch import distributed


def is_shared() -> bool:
    """Whether the processes of this training know of each other.

    >>> is_shared()
    False
    """
    return bool(distributed.is_available() and distributed.is_initialized())


def rank() -> int:
    """The number of this process, 0 where it is alone.

    >>> rank()
    0
    """
    return int(distributed.get_rank()) if is_shared() else 0


def ranks() -> int:
    """How many processes there are.

    >>> ranks()
    1
    """
    return int(distributed.get_world_size()) if is_shared() else 1


def meeting_device() -> torch.device:
    """Where tensors are exchanged: the CPU if a backend serves it, as NCCL does not.

    >>> meeting_device()
    device(type='cpu')
    """
    if not is_shared():
        return torch.device("cpu")
    served = distributed.get_backend_config().split(",")  # as in cpu:gloo,cuda:nccl
    kinds = [pair.partition(":")[0] for pair in served]
    return torch.device("cpu" if "cpu" in kinds else kinds[0])
