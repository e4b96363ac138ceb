from __future__ import annotations

import pytest

from danlu.errors import StudyError
from danlu.studyfile.quantities import seconds, size_bytes, size_text


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("10m", 600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2 d", 172800),
        (45, 45),
        ("45", 45),
    ],
)
def test_a_duration_is_read(stated: object, expected: float) -> None:
    assert seconds(stated) == expected


@pytest.mark.parametrize("stated", ["", "soon", 0, -3, True, None, "1h3", "nan"])
def test_what_is_no_duration_is_refused(stated: object) -> None:
    with pytest.raises(StudyError, match="is not a duration"):
        seconds(stated)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [("4GB", 4 * 10**9), ("512MiB", 2**29), ("1.5k", 1500), (100, 100), ("100 b", 100)],
)
def test_a_size_is_read(stated: object, expected: int) -> None:
    assert size_bytes(stated) == expected


@pytest.mark.parametrize("stated", ["", "big", 0, "-1GB", True, None, "4ib"])
def test_what_is_no_size_is_refused(stated: object) -> None:
    with pytest.raises(StudyError, match="is not a size"):
        size_bytes(stated)


def test_a_size_is_shown_with_its_unit() -> None:
    assert [size_text(n) for n in (12, 1500, 10**13)] == [
        "12 bytes",
        "1.5 kB",
        "10.0 TB",
    ]
