"""Samplers and schedulers by name, and named methods made by joining parts.

Others' parts are found by the entry points `danlu.samplers` and `danlu.schedulers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from . import samplers, schedulers
from .auto import Auto, AutoScheduler
from .errors import StudyError, did_you_mean
from .samplers.base import Sampler
from .schedulers.base import Scheduler

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

Part = TypeVar("Part", Sampler, Scheduler)

_SAMPLERS: Mapping[str, type[Sampler]] = {
    "auto": Auto,
    "gp": samplers.GP,
    "quasi_random": samplers.QuasiRandom,
    "random": samplers.Random,
    "tpe": samplers.TPE,
    "prior_band": samplers.PriorBand,
    "cma_es": samplers.CmaEs,
    "grid": samplers.Grid,
    "fixed": samplers.Fixed,
}
_SCHEDULERS: Mapping[str, type[Scheduler]] = {
    "auto": AutoScheduler,
    "full": schedulers.Full,
    "median": schedulers.Median,
    "percentile": schedulers.Percentile,
    "patience": schedulers.Patience,
    "threshold": schedulers.Threshold,
    "asha": schedulers.Asha,
    "asha_stop": schedulers.AshaStop,
    "successive_halving": schedulers.SuccessiveHalving,
    "hyperband": schedulers.Hyperband,
    "async_hyperband": schedulers.AsyncHyperband,
    "curve_stop": schedulers.CurveStop,
    "freeze_thaw": schedulers.FreezeThaw,
    "pbt": schedulers.Pbt,
    "async_pbt": schedulers.AsyncPbt,
    "pb2": schedulers.Pb2,
    "scheduled": schedulers.Scheduled,
}
_RECIPES: Mapping[str, Mapping[str, str]] = {
    "bohb": {"sampler": "tpe", "scheduler": "hyperband"},  # Falkner et al., 2018
    "gp_asha": {"sampler": "gp", "scheduler": "asha"},
    "prior_band": {"sampler": "prior_band", "scheduler": "hyperband"},  # Mallik, 2023
    "prior_band_asha": {"sampler": "prior_band", "scheduler": "asha"},
}


def recipe(name: str) -> Mapping[str, str]:
    """The sampler and the scheduler that go together by `name`, as a study takes them.

    >>> import danlu
    >>> danlu.recipes.recipe("bohb")
    {'sampler': 'tpe', 'scheduler': 'hyperband'}

    Raises:
        StudyError: no recipe goes by that name.
    """
    if name not in _RECIPES:
        raise StudyError(f"no recipe {name!r}: {did_you_mean(str(name), _RECIPES)}")
    return _RECIPES[name]


def sampler(name: str) -> Sampler:
    """The sampler that goes by `name`, with its default settings.

    >>> import danlu
    >>> danlu.recipes.sampler("tpe")
    TPE(start=10)

    Raises:
        StudyError: nothing goes by that name, or it does not work without settings.
    """
    return _made(sampler_class(name), name)


def scheduler(name: str) -> Scheduler:
    """The scheduler that goes by `name`, with its default settings.

    >>> import danlu
    >>> danlu.recipes.scheduler("median")
    Median(min_steps=1, min_trials=5)

    Raises:
        StudyError: nothing goes by that name, or it does not work without settings.
    """
    return _made(scheduler_class(name), name)


def sampler_class(name: str) -> type[Sampler]:
    """The class of the sampler that goes by `name`."""
    return _named(name, "sampler", _SAMPLERS)


def scheduler_class(name: str) -> type[Scheduler]:
    """The class of the scheduler that goes by `name`."""
    return _named(name, "scheduler", _SCHEDULERS)


def sampler_names() -> list[str]:
    """Every name that `sampler` knows."""
    return [*_SAMPLERS, *_advertised("sampler")]


def scheduler_names() -> list[str]:
    """Every name that `scheduler` knows."""
    return [*_SCHEDULERS, *_advertised("scheduler")]


def name_of(part: Sampler | Scheduler) -> str:
    """The name under which a sampler or scheduler is kept.

    Raises:
        StudyError: its class goes by no name, so a stored study could not find it.
    """
    for known in (_SAMPLERS, _SCHEDULERS):
        for name, own in known.items():
            if type(part) is own:
                return name
    for role in ("sampler", "scheduler"):
        for name, entry in _advertised(role).items():
            if entry == f"{type(part).__module__}:{type(part).__qualname__}":
                return name
    kind = type(part).__name__
    raise StudyError(
        f"{kind} goes by no name: advertise it as an entry point `danlu.samplers` or "
        "`danlu.schedulers`, so that a stored study finds it again"
    )


def _made(own: type[Part], name: str) -> Part:
    try:
        return own()
    except TypeError as error:
        raise StudyError(f"{name!r} needs settings of its own: {error}") from error


def _named(name: str, role: str, known: Mapping[str, type[Part]]) -> type[Part]:
    if name in known:
        return known[name]
    for entry in _entry_points(role):
        if entry.name != name:
            continue
        try:
            found: type[Part] = entry.load()
        except Exception as error:  # whatever the other package's import raises
            raise StudyError(f"{role} {name!r} cannot be loaded: {error}") from error
        return found
    hint = did_you_mean(name, [*known, *_advertised(role)])
    raise StudyError(f"no {role} {name!r}: {hint}")


def _advertised(role: str) -> dict[str, str]:
    return {entry.name: entry.value for entry in _entry_points(role)}


def _entry_points(role: str) -> EntryPoints:
    from importlib.metadata import entry_points  # 15 ms to import

    return entry_points(group=f"danlu.{role}s")
