from __future__ import annotations

import math

import pytest

from danlu.report.svg import Scale, ending, fitted, text, value_scale


def test_ticks_are_round_numbers_within_the_scale() -> None:
    ticks = Scale(0.13, 0.87, 0, 100).ticks()
    assert ticks == pytest.approx([0.2, 0.4, 0.6, 0.8])


def test_ticks_of_a_log_scale_are_powers_of_ten() -> None:
    ticks = Scale(1e-4, 1.0, 0, 100, log=True).ticks()
    assert ticks == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])


def test_ticks_within_a_decade_of_a_log_scale_are_filled_in() -> None:
    assert Scale(1.0, 9.0, 0, 100, log=True).ticks() == pytest.approx([1, 2, 5])


@pytest.mark.parametrize("log", [False, True])
def test_the_ends_of_a_scale_are_drawn_at_its_ends(log: bool) -> None:
    scale = Scale(0.01, 10.0, 5.0, 95.0, log)
    assert (scale(0.01), scale(10.0)) == pytest.approx((5.0, 95.0))


def test_a_value_outside_is_drawn_at_the_rim() -> None:
    scale = Scale(0.0, 1.0, 5.0, 95.0)
    assert (scale(-3.0), scale(7.0), scale(math.inf)) == (5.0, 95.0, 95.0)


def test_a_scale_of_one_value_has_room_around_it() -> None:
    scale = value_scale(0.5, 0.5, 0.0, 100.0)
    assert scale(0.5) == pytest.approx(50.0)


def test_the_largest_floats_do_not_overflow() -> None:
    scale = value_scale(-1e308, 1e308, 0.0, 100.0)
    assert scale(0.0) == pytest.approx(50.0)
    assert all(math.isfinite(tick) for tick in scale.ticks())


def test_a_path_keeps_its_end_where_it_is_cut() -> None:
    assert ending("optimizer=sgd/lr", 56) == "…=sgd/lr"
    assert ending("lr", 56) == "lr"


def test_a_label_is_cut_to_its_room() -> None:
    assert (fitted("batch", 100), fitted("batch_normalization", 56)) == (
        "batch",
        "batch_n…",
    )


def test_text_is_escaped() -> None:
    assert "&lt;b&gt;" in text(0, 0, "<b>")
