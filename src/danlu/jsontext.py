"""JSON text for what is kept and sent: exact numbers, with a form for nan and inf.

JSON has no nan and no infinity. They are written as the strings `"nan"`, `"inf"` and
`"-inf"` by `number_to_json` where a number is due, and read back by `json_to_number`.
Whole numbers keep all their digits, also above 2**53.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_SPELLINGS = {
    **_NOT_FINITE,
    "+inf": math.inf,
    "infinity": math.inf,
    "+infinity": math.inf,
    "-infinity": -math.inf,
}

_encoder = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=False
)


def dumps(document: Any) -> str:
    """Compact JSON text of plain dicts, lists, strings and finite numbers.

    >>> dumps({"lr": 0.1, "seed": 2**60})
    '{"lr":0.1,"seed":1152921504606846976}'
    """
    return _encoder.encode(document)


def loads(text: str | bytes) -> Any:
    """The document that JSON text stands for.

    >>> loads('{"lr": 1e-3}')
    {'lr': 0.001}
    """
    return json.loads(text)


def is_writable(text: str) -> bool:
    """Whether text has no half of a surrogate pair, which no file can hold.

    >>> is_writable("丹炉"), is_writable(chr(0xDC80))
    (True, False)
    """
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def is_name(text: str) -> bool:
    """Whether text can be a name: no file, environment or database holds a NUL.

    >>> is_name("val/error %"), is_name(chr(0))
    (True, False)
    """
    return "\0" not in text and is_writable(text)


def writable(text: str) -> str:
    """Text from outside as a file can hold it: what it cannot hold is escaped.

    >>> writable("no file " + chr(0xDC80))
    'no file \\\\udc80'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def shown(value: object) -> str:
    """A value as messages show it, at most 60 characters long.

    >>> shown("x" * 100)[-5:], len(shown("x" * 100))
    ('xx...', 60)
    """
    try:
        text = writable(repr(value))
    except ValueError:  # Python refuses to write a whole number of over 4300 digits
        return "a number with thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


def number_to_json(value: float) -> float | str:
    """A number as JSON can hold it: nan and inf become strings.

    >>> [number_to_json(value) for value in (0.5, math.inf)]
    [0.5, 'inf']
    """
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def to_json(value: Any) -> Any:
    """A value as JSON can hold it, to any depth: nan and inf as strings.

    >>> to_json({"p": (0.5, math.nan), 3: None})
    {'p': [0.5, 'nan'], '3': None}
    """
    if isinstance(value, Mapping):
        return {str(key): to_json(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(own) for own in value]
    return number_to_json(value) if isinstance(value, float) else value


def json_to_number(value: Any) -> float | None:
    """The number that a JSON value stands for, or None when it stands for none.

    >>> json_to_number("Infinity"), json_to_number(3), json_to_number("three")
    (inf, 3.0, None)
    """
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return None
    if isinstance(value, str):
        return _SPELLINGS.get(value.strip().lower())
    return None
