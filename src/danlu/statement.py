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
        if field not in _AMENDABLE and before != now:
            raise StudyError(
                f"a study {kept['name']!r} exists with another {field}: it is "
                f"{before!r}, now {now!r}; give the new study a name of its own"
            )
    return dict(kept) != dict(wanted)
