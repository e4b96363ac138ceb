from __future__ import annotations

from xml.etree import ElementTree

from danlu.training import schedule_svg, schedule_text
from danlu.training.schedules import Constant, Cosine, one_cycle

NAME = "{http://www.w3.org/2000/svg}"


def test_the_picture_in_text_has_the_size_that_was_asked_for() -> None:
    lines = schedule_text(one_cycle(1.0, 1000), 1000, width=40, height=5).splitlines()

    assert 6 == len(lines)
    assert all(len(line) <= 47 for line in lines)


def test_the_highest_value_is_written_beside_the_picture() -> None:
    assert schedule_text(Cosine(0.25, 10), 10).startswith("0.25 ")


def test_the_svg_goes_down_where_the_schedule_does() -> None:
    drawn = ElementTree.fromstring(schedule_svg(Cosine(1.0, 100), 100))
    line = drawn.find(f"{NAME}polyline")
    assert line is not None

    heights = [float(pair.split(",")[1]) for pair in line.attrib["points"].split()]

    assert heights == sorted(heights)  # SVG counts downward


def test_a_schedule_of_zero_can_be_drawn() -> None:
    assert "<polyline" in schedule_svg(Constant(0.0), 1)
    assert schedule_text(Constant(0.0), 1)
