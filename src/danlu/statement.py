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
        if field not in _AMENDABLE and not _same(before, now, of_type=field == "fixed"):
            raise StudyError(
                f"a study {kept['name']!r} exists with another {field}: it is "
                f"{before!r}, now {now!r}; give the new study a name of its own"
            )
    return dict(kept) != dict(wanted)


def _same(before: Any, now: Any, *, of_type: bool) -> bool:
    """Whether both say the same; True is not 1, and with `of_type` neither is 1.0.

    >>> _same([True], [1], of_type=False), _same(1, 1.0, of_type=True)
    (False, False)
    """
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return before.keys() == now.keys() and all(
            _same(own, now[key], of_type=of_type) for key, own in before.items()
        )
    if isinstance(before, list) and isinstance(now, list):
        return len(before) == len(now) and all(
            _same(*pair, of_type=of_type) for pair in zip(before, now, strict=True)
        )
    kinds = (bool, float) if of_type else (bool,)
    alike = all(isinstance(before, own) == isinstance(now, own) for own in kinds)
    return bool(before == now) and alike
