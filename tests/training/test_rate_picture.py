from __future__ import annotations

import math
from xml.etree import ElementTree

import torch

from danlu.training.rate_picture import range_svg
from danlu.training.rate_range import judged
from danlu.training.sweep import regions
from tests.training.planted_bugs import healthy

torch.set_num_threads(1)
SVG = "{http://www.w3.org/2000/svg}"
RATES = [1e-6 * 10 ** (step / 14) for step in range(100)]


def test_every_sweep_is_a_line_inside_of_the_picture() -> None:
    picture = ElementTree.fromstring(range_svg(healthy().lr_range()))
    lines = picture.findall(f"{SVG}polyline")
    points = [own for line in lines for own in line.attrib["points"].split()]

    assert 3 == len(lines)
    for point in points:
        x, y = map(float, point.split(","))
        assert 0 <= x <= 520
        assert 0 <= y <= 240


def test_the_usable_rate_and_the_verdict_are_written() -> None:
    found = judged([regions(RATES, [2.0] * 50 + [1.0] * 30 + [3.0] * 20)])
    words = [own.text for own in ElementTree.fromstring(range_svg(found)).iter()]

    assert f"{found.suggestion:.2g}" in words
    assert f"{found.verdict}: {found.message}" in words
    assert {"1e-6", "1e0"} <= set(words)


def test_losses_that_are_not_finite_are_left_out() -> None:
    losses = [2.0] * 50 + [1.0] * 20 + [math.inf]
    picture = range_svg(judged([regions(RATES[:71], losses)]))

    assert "nan" not in picture
    assert "inf" not in picture


def test_a_sweep_that_broke_at_once_is_a_picture_too() -> None:
    picture = range_svg(judged([regions([1e-6], [math.nan])]))

    assert ElementTree.fromstring(picture).findall(f"{SVG}polyline")
