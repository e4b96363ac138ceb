"""All planted situations and all healthy ones, by name."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from numpy.random import default_rng

from . import (
    arm_situations,
    curve_situations,
    healthy_situations,
    space_situations,
    stated_situations,
)
from .claims import Drawn, Situation

_ALL = [
    *stated_situations.situations(),
    *space_situations.situations(),
    *curve_situations.situations(),
    *arm_situations.situations(),
    *healthy_situations.situations(),
]
SITUATIONS: Mapping[str, Situation] = {one.name: one for one in _ALL}
if len(SITUATIONS) < len(_ALL):
    raise ValueError("two situations have one name")


def drawn(situation: Situation, number: int) -> Drawn:
    """The draw with that number: the same one each time, on every machine."""
    return situation.draw(default_rng([zlib.crc32(situation.name.encode()), number]))
