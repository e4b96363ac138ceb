"""Every preset by name, and the reasons of a space that was made from one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from ..errors import StudyError, did_you_mean
from ..space import SearchSpace
from . import networks, optimizers
from .entry import Entry, Preset, affordable, space_of

_Entries: TypeAlias = Callable[[int | None], tuple[Entry, ...]]

_KNOWN: Mapping[str, tuple[str, _Entries]] = {
    "adam": ("Adam", optimizers.adam_entries),
    "adamw": ("Adam with decoupled weight decay", optimizers.adamw_entries),
    "nadam": ("Adam with Nesterov momentum", optimizers.nadam_entries),
    "nesterov": ("SGD with Nesterov momentum", optimizers.nesterov_entries),
    "mlp": ("fully connected layers, by Adam", partial(affordable, networks.MLP)),
    "cnn": (
        "a convolutional network, by SGD with Nesterov momentum",
        partial(affordable, networks.CNN),
    ),
    "rnn": ("a recurrent network, by Adam", partial(affordable, networks.RNN)),
    "transformer": (
        "a transformer from scratch, by AdamW",
        partial(affordable, networks.TRANSFORMER),
    ),
    "text_classification": (
        "a convolutional network over words, by Adam",
        partial(affordable, networks.TEXT_CLASSIFICATION),
    ),
}


def names() -> tuple[str, ...]:
    """The names of all presets, optimizers first.

    >>> import danlu
    >>> danlu.presets.names()[:2]
    ('adam', 'adamw')
    """
    return tuple(_KNOWN)


def preset(name: str, trials: int | None = None) -> Preset:
    """The preset of that name, as far as `trials` reach.

    >>> import danlu
    >>> cnn = danlu.presets.preset("cnn", trials=20)
    >>> cnn.reasons["weight_decay"]
    '1e-4 to 1e-3 in practice, around 5e-4, with a decade more on both sides'

    Raises:
        StudyError: there is no preset of that name.
    """
    if name not in _KNOWN:
        raise StudyError(f"no preset {name!r}: {did_you_mean(str(name), _KNOWN)}")
    title, entries = _KNOWN[name]
    own = entries(trials)
    return Preset(name, title, space_of(own), {part.name: part.reason for part in own})


def why(space: SearchSpace) -> dict[str, str]:
    """By path, the reason of every range that was taken over from a preset.

    What was added or changed has none here, nor has a space that was read from a
    database, which does not say where a range came from.

    >>> import danlu
    >>> space = danlu.presets.rnn(trials=20)
    >>> danlu.presets.why(space)["lr"]
    'the most important one; recurrent networks want a smaller one than others'
    """
    reasons = {
        id(own.domain): own.reason  # entries live as long as this module
        for _, entries in _KNOWN.values()
        for own in entries(None)
    }
    return {
        dimension.path: reasons[id(dimension.domain)]
        for dimension in space.dimensions
        if id(dimension.domain) in reasons
    }
