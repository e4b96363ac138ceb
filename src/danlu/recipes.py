"""Samplers and schedulers by name, and named methods made by joining parts.

Others' parts are found by the entry points `danlu.samplers` and `danlu.schedulers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import StudyError, did_you_mean
from .samplers.base import Sampler
from .schedulers.base import Scheduler

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

Part = TypeVar("Part", Sampler, Scheduler)

# Where each class is, as an entry point says it: only what is asked for is imported.
_SAMPLERS: Mapping[str, str] = {
    "auto": "danlu.auto:Auto",
    "gp": "danlu.samplers.gp:GP",
    "quasi_random": "danlu.samplers.quasi_random:QuasiRandom",
    "random": "danlu.samplers.random:Random",
    "tpe": "danlu.samplers.tpe:TPE",
    "prior_band": "danlu.samplers.prior_band:PriorBand",
    "cma_es": "danlu.samplers.cma_es:CmaEs",
    "grid": "danlu.samplers.grid:Grid",
    "fixed": "danlu.samplers.fixed:Fixed",
}
_SCHEDULERS: Mapping[str, str] = {
    "auto": "danlu.auto:AutoScheduler",
    "full": "danlu.schedulers.full:Full",
    "median": "danlu.schedulers.percentile:Median",
    "percentile": "danlu.schedulers.percentile:Percentile",
    "patience": "danlu.schedulers.patience:Patience",
    "threshold": "danlu.schedulers.threshold:Threshold",
    "asha": "danlu.schedulers.asha:Asha",
    "asha_stop": "danlu.schedulers.asha:AshaStop",
    "successive_halving": "danlu.schedulers.halving:SuccessiveHalving",
    "hyperband": "danlu.schedulers.hyperband:Hyperband",
    "async_hyperband": "danlu.schedulers.hyperband:AsyncHyperband",
    "curve_stop": "danlu.schedulers.curve_stop:CurveStop",
    "freeze_thaw": "danlu.schedulers.freeze_thaw:FreezeThaw",
    "pbt": "danlu.schedulers.pbt:Pbt",
    "async_pbt": "danlu.schedulers.async_pbt:AsyncPbt",
    "pb2": "danlu.schedulers.pb2:Pb2",
    "scheduled": "danlu.schedulers.scheduled:Scheduled",
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
    address = f"{type(part).__module__}:{type(part).__qualname__}"
    for name, own in _addresses():
        if own == address:
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


def _named(name: str, role: str, known: Mapping[str, str]) -> type[Any]:
    if name in known:
        module, _, own = known[name].partition(":")
        return getattr(import_module(module), own)  # type: ignore[no-any-return]
    for entry in _entry_points(role):
        if entry.name != name:
            continue
        try:
            found: type[Any] = entry.load()
        except Exception as error:  # whatever the other package's import raises
            raise StudyError(f"{role} {name!r} cannot be loaded: {error}") from error
        return found
    hint = did_you_mean(name, [*known, *_advertised(role)])
    raise StudyError(f"no {role} {name!r}: {hint}")


def _addresses() -> Iterator[tuple[str, str]]:
    """Every name, and where its class is; those of other packages last."""
    yield from _SAMPLERS.items()
    yield from _SCHEDULERS.items()
    for role in ("sampler", "scheduler"):
        yield from _advertised(role).items()


def _advertised(role: str) -> dict[str, str]:
    return {entry.name: entry.value for entry in _entry_points(role)}


def _entry_points(role: str) -> EntryPoints:
    from importlib.metadata import entry_points  # 15 ms to import

    return entry_points(group=f"danlu.{role}s")
