from __future__ import annotations

import pkgutil

from danlu import training


def test_no_public_name_is_that_of_a_module() -> None:
    """Importing the module would put it where the function is."""
    modules = {module.name for module in pkgutil.iter_modules(training.__path__)}

    assert set() == modules.intersection(training.__all__)


def test_every_public_name_can_be_had() -> None:
    missing = [name for name in training.__all__ if not hasattr(training, name)]

    assert [] == missing


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    assert not hasattr(training, "no_such_name")
