"""Durations and sizes as people write them: `1h30m`, `90s`, `4GB`."""

from __future__ import annotations

import math
import re

from ..errors import StudyError

_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def seconds(value: object) -> float:
    """A duration in seconds: a number of them, or text such as `1h30m`.

    >>> seconds("1h30m"), seconds(90)
    (5400.0, 90.0)

    Raises:
        StudyError: it is not a duration above 0.
    """
    parsed = _plain_number(value)
    if parsed is None and isinstance(value, str):
        parts = re.findall(r"([0-9.]+)\s*([dhms])", value)
        whole = re.fullmatch(r"\s*([0-9]+(\.[0-9]+)?\s*[dhms]\s*)+", value)
        if whole:
            parsed = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if parsed is None or not 0 < parsed < math.inf:
        raise StudyError(f"{value!r} is not a duration: write 90s, 10m or 1h30m")
    return float(parsed)


def size_bytes(value: object) -> int:
    """A size in bytes: a number of them, or text such as `4GB` or `512MiB`.

    >>> size_bytes("4GB"), size_bytes("1 KiB")
    (4000000000, 1024)

    Raises:
        StudyError: it is not a size above 0.
    """
    parsed = _plain_number(value)
    if parsed is None and isinstance(value, str):
        match = re.fullmatch(
            r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(i?)b?\s*", value.lower()
        )
        if match and (match[2] or not match[3]):
            units = _BINARY if match[3] else _BYTES
            parsed = float(match[1]) * units[match[2]]
    if parsed is None or not 1 <= parsed < math.inf:
        raise StudyError(f"{value!r} is not a size: write 512MB, 4GB or 16GiB")
    return int(parsed)


def duration_text(duration_s: float) -> str:
    """A duration for people: two units at most.

    >>> [duration_text(s) for s in (0.31, 12.4, 100, 5400, 200_000)]
    ['0.3 s', '12 s', '1m 40s', '1h 30m', '2d 7h']
    """
    if duration_s < 10:
        return f"{duration_s:.1f} s"
    if duration_s < 60:
        return f"{duration_s:.0f} s"
    rest = round(duration_s)
    shown: list[str] = []
    for unit, length in _SECONDS.items():
        count, rest = divmod(rest, length)
        if count or shown:
            shown.append(f"{count}{unit}")
    return " ".join(shown[:2])


def size_text(size: float) -> str:
    """A size for people.

    >>> size_text(4_000_000_000)
    '4.0 GB'
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


_TOO_MUCH = 1e300  # for a float, nearly, and for everything else


def _plain_number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < _TOO_MUCH else math.inf
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]+(\.[0-9]+)?\s*", value):
        return float(value)
    return None
