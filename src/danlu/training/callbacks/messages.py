"""What the first process of a trial tells the others, as tensors of plain numbers.

`torch.distributed.broadcast_object_list` would pickle, and whoever reads a pickle runs
what is in it. A message here is a code, and a text as its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, distributed

from ..processes import is_shared, meeting_device

Code: TypeAlias = Literal[0, 1, 2]

NO: Code = 0
YES: Code = 1
FAILED: Code = 2

ENCODING, ERRORS = "utf-8", "surrogateescape"  # a path need not be UTF-8


@dataclass(frozen=True)
class Message:
    """NO, YES with a path or nothing, or FAILED with what the error said.

    >>> Message(YES, "checkpoint/000001-step-1").code
    1
    """

    code: Code
    text: str = ""


def send(message: Message) -> None:
    """Tells all other processes; only the first one sends, nothing where it is alone.

    >>> send(Message(YES))
    """
    if not is_shared():
        return
    data = message.text.encode(ENCODING, ERRORS)
    _broadcast(torch.tensor([message.code, len(data)]))
    if data:
        _broadcast(torch.frombuffer(bytearray(data), dtype=torch.uint8))


def receive() -> Message:
    """What the first process sends; every other one has to ask for it.

    Raises:
        RuntimeError: the first process failed.
    """
    code, size = _broadcast(torch.zeros(2, dtype=torch.int64)).tolist()
    text = _text(size) if size else ""
    if code == FAILED:
        raise RuntimeError(f"the first process of the trial failed: {text}")
    return Message(code, text)


def _text(size: int) -> str:
    data = _broadcast(torch.zeros(size, dtype=torch.uint8)).tolist()
    return bytes(data).decode(ENCODING, ERRORS)


def _broadcast(numbers: Tensor) -> Tensor:
    """The numbers of the first process, where the backend can send them from."""
    sent: Tensor = numbers.to(meeting_device())
    distributed.broadcast(sent, src=0)
    return sent
