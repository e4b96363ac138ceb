"""The contract of a scheduler, held by all of them."""

from __future__ import annotations

import pytest

from danlu import recipes
from danlu.testing import check_scheduler


@pytest.mark.parametrize("name", recipes.scheduler_names())
def test_a_scheduler_holds_the_contract(name: str) -> None:
    check_scheduler(recipes.scheduler(name))
