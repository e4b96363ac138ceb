"""What may change of the statement of a study that exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import StudyError

_AMENDABLE = ("trials", "note")  # the rest is what its trials are an answer to


def is_amended(kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a study is stated anew with other words that may change.

    >>> is_amended({"name": "s", "trials": 10}, {"name": "s", "trials": 20})
    True

    Raises:
        StudyError: it is another study under the same name.
    """
    for field in [*wanted, *(own for own in kept if own not in wanted)]:
        before, now = kept.get(field), wanted.get(field)
        kinds = (bool, float) if field == "fixed" else (bool,)
        if field not in _AMENDABLE and not _same(before, now, kinds):
            raise StudyError(
                f"a study {kept['name']!r} exists with another {field}: it is "
                f"{before!r}, now {now!r}; give the new study a name of its own"
            )
    return dict(kept) != dict(wanted)


def _same(before: Any, now: Any, kinds: tuple[type, ...]) -> bool:
    """Whether both say the same, and are alike in being of one of the `kinds` or not.

    >>> _same([True], [1], (bool,)), _same(1, 1.0, (bool,)), _same(1, 1.0, (float,))
    (False, True, False)
    """
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return before.keys() == now.keys() and all(
            _same(own, now[key], kinds) for key, own in before.items()
        )
    if isinstance(before, list) and isinstance(now, list):
        return len(before) == len(now) and all(
            _same(*pair, kinds) for pair in zip(before, now, strict=True)
        )
    alike = all(isinstance(before, own) == isinstance(now, own) for own in kinds)
    return bool(before == now) and alike
