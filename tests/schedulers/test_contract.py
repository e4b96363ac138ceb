"""The contract of a scheduler, held by all of them."""

from __future__ import annotations

import pytest

from danlu import recipes
from danlu.schedulers import Patience, Scheduler, Threshold
from danlu.testing import check_scheduler

WITH_SETTINGS = {
    "patience": Patience(steps=2),
    "threshold": Threshold(step=3, value=0.5),
}


def made(name: str) -> Scheduler:
    return WITH_SETTINGS[name] if name in WITH_SETTINGS else recipes.scheduler(name)


@pytest.mark.parametrize("name", recipes.scheduler_names())
def test_a_scheduler_holds_the_contract(name: str) -> None:
    check_scheduler(made(name))
