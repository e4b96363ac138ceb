"""What a tool of the training side found: one sentence, its level, what to do.

The same fields as `danlu.Finding`, so that a report shows both alike; a class of its
own, so that a training program needs nothing else of danlu.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Level: TypeAlias = Literal["ok", "notice", "warning", "unknown"]


@dataclass(frozen=True)
class Finding:
    """What was found: `message` in one sentence, how much it matters, and what to do.

    `check` names who found it. `evidence` holds the numbers behind the sentence as
    plain JSON values. `unknown` says that too little was seen to tell.

    >>> from danlu import training
    >>> training.Finding("gradients", "warning", "Layer 3 gets no gradient.").level
    'warning'
    """

    check: str
    level: Level
    message: str
    advice: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
