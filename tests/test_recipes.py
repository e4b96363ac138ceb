"""Samplers and schedulers by name, also those of other packages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import danlu
from danlu import recipes
from danlu.ask import sampler_of, scheduler_of
from danlu.auto import Auto
from danlu.errors import StudyError
from danlu.executors import Inline
from tests.studies import bowl

PLUGIN = """
from dataclasses import dataclass
from danlu import Sampler, Suggestion

@dataclass(frozen=True)
class Corner(Sampler):
    side: float = 0.25

    def ask(self, history, rng):
        return Suggestion({"x": self.side})
"""
NAMES = """
[danlu.samplers]
corner = danlu_corner:Corner
broken = danlu_corner_missing:Corner

[danlu.schedulers]
odd = danlu_corner:Corner
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package beside danlu that advertises a sampler."""
    (tmp_path / "danlu_corner.py").write_text(PLUGIN)
    facts = tmp_path / "danlu_corner-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Name: danlu-corner\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(NAMES)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("danlu_corner", None)


def study(sampler: object) -> danlu.Study:
    space = {"x": danlu.Float(0, 1)}
    return danlu.Study("s", "?", "loss", space, 2, sampler=sampler)  # type: ignore[arg-type]


def test_every_name_that_is_listed_is_known() -> None:
    without_settings = [name for name in recipes.sampler_names() if name != "fixed"]

    samplers = [recipes.sampler(name) for name in without_settings]
    schedulers = [
        recipes.scheduler(name)
        for name in recipes.scheduler_names()
        if name not in ("patience", "threshold")
    ]

    assert all(isinstance(own, danlu.Sampler) for own in samplers)
    assert all(isinstance(own, danlu.Scheduler) for own in schedulers)
    assert recipes.sampler("auto") == Auto()


def test_a_wrong_name_gets_a_suggestion() -> None:
    with pytest.raises(StudyError, match="no sampler 'rand0m': did you mean 'random'"):
        recipes.sampler("rand0m")
    with pytest.raises(StudyError, match="no scheduler 'fulll': did you mean 'full'"):
        recipes.scheduler("fulll")


def test_a_sampler_that_needs_settings_says_so() -> None:
    with pytest.raises(
        StudyError, match=r"'fixed' needs settings of its own: .*points"
    ):
        recipes.sampler("fixed")


@pytest.mark.usefixtures("plugin")
def test_a_sampler_of_another_package_is_found_kept_and_found_again(
    tmp_path: Path,
) -> None:
    corner = recipes.sampler_class("corner")(side=0.75)  # type: ignore[call-arg]
    assert "corner" in recipes.sampler_names()
    assert recipes.name_of(corner) == "corner"

    with danlu.open(tmp_path / "tuning.db") as project:
        trials = project.run(study(corner), Inline(lambda trial: 1.0)).trials
    with danlu.open(tmp_path / "tuning.db") as project:
        again = project.study("s").sampler

    assert [trial.params for trial in trials] == [{"x": 0.75}] * 2
    assert again == corner


@pytest.mark.usefixtures("plugin")
def test_a_package_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(StudyError, match="sampler 'broken' cannot be loaded: No modu"):
        recipes.sampler("broken")


@pytest.mark.usefixtures("plugin")
def test_what_is_advertised_as_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="a scheduler is a Scheduler or its name"):
        danlu.open(":memory:", tmp_path).plan(
            danlu.Study("s", "?", "l", {"x": danlu.Float(0, 1)}, 2, scheduler="odd")
        )


def test_a_class_without_a_name_cannot_be_kept() -> None:
    class Own(danlu.samplers.Random):
        pass

    with pytest.raises(StudyError, match="Own goes by no name: advertise it"):
        recipes.name_of(Own())


def test_a_recipe_is_a_sampler_and_a_scheduler_that_go_together() -> None:
    study = bowl(**recipes.recipe("bohb"))

    assert type(sampler_of(study)) is danlu.samplers.TPE
    assert type(scheduler_of(study)) is danlu.schedulers.Hyperband


def test_a_recipe_that_does_not_exist_is_named() -> None:
    with pytest.raises(StudyError, match="no recipe 'bohbb'"):
        recipes.recipe("bohbb")


def test_a_study_is_read_without_importing_what_would_choose_its_trials() -> None:
    code = (
        "import sys\n"
        "from danlu import codec, project, recipes\n"
        "recipes.sampler('auto'), recipes.scheduler('auto')\n"
        "parts = ('danlu.samplers.', 'danlu.schedulers.')\n"
        "own = {name for name in sys.modules if name.startswith(parts)}\n"
        "print(*sorted(own))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert "danlu.samplers.base danlu.schedulers.base" == done.stdout.strip()
