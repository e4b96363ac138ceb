from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from danlu import training

CURVE = [
    {"train_loss": 1.0, "val_loss": 1.2, "val_error": 0.5},
    {"train_loss": 0.5, "val_loss": 0.9, "val_error": 0.25},
]


def drawn(picture: str) -> list[str]:
    return re.findall(r'<path d="([^"]*)"', picture)


def test_what_measures_the_same_shares_a_panel() -> None:
    root = ElementTree.fromstring(training.curves_svg(CURVE, epochs=5))
    said = [part.text for part in root if part.tag.endswith("text")]

    assert 1 == said.count("loss")
    assert 1 == said.count("error")
    assert {"train_loss 0.5", "val_loss 0.9", "val_error 0.25"} <= set(said)


def test_a_panel_goes_from_the_lowest_to_the_highest_value() -> None:
    _, val_loss, _ = drawn(training.curves_svg(CURVE, epochs=2))

    assert val_loss.startswith("M64.0 24.0")  # the highest, at the top on the left
    assert drawn(training.curves_svg(CURVE, epochs=2))[0].endswith("L484.0 154.0")


def test_the_width_is_that_of_the_whole_training() -> None:
    val_error = drawn(training.curves_svg(CURVE, epochs=5))[2]

    assert "L169.0" in val_error  # a quarter of the way, after two of five epochs


def test_a_value_that_is_not_finite_leaves_a_gap() -> None:
    curve = [{"loss": value} for value in (3.0, math.nan, 2.0, math.inf, 1.0)]
    (line,) = drawn(training.curves_svg(curve, epochs=5))

    assert 3 == line.count("M")
    assert "L" not in line


@pytest.mark.parametrize("curve", [[], [{"loss": 0.0}], [{"loss": math.nan}]])
def test_a_curve_of_next_to_nothing_is_a_picture(curve: list[dict[str, float]]) -> None:
    ElementTree.fromstring(training.curves_svg(curve, epochs=1))


def test_names_cannot_break_the_picture() -> None:
    ElementTree.fromstring(training.curves_svg([{'<b>&"_x': 1.0}], epochs=1))


def test_more_epochs_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match="2 epochs of epochs=1"):
        training.curves_svg(CURVE, epochs=1)


def test_nothing_but_the_picture_is_left(tmp_path: Path) -> None:
    for count in (1, 2):
        training.write_curves(tmp_path / "c.svg", CURVE[:count], epochs=2)

    assert ["c.svg"] == [path.name for path in tmp_path.iterdir()]
