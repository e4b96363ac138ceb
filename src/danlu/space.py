"""What may vary: hyperparameters, conditions, and the unit cube.

A search space is a dict of name to domain. The hyperparameters that an option of a
`Choice` brings are *active* only while that option is chosen. Every hyperparameter is
one dimension of the unit cube and is known by its path: `optimizer=adam/lr` is not
`optimizer=sgd/lr`, although both reach the training program as `lr` (rule D4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .domain import Choice, Domain, Float, Int
from .errors import SpaceError, did_you_mean
from .jsontext import is_name, shown
from .value import Value, plain, same

Params: TypeAlias = Mapping[str, Value]
Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Dimension:
    """One axis of the unit cube: a hyperparameter with its place in the space.

    `parent` is the path of the choice that it depends on, `option` the option of that
    choice under which it is active; both are None for an unconditional one.

    >>> import danlu
    >>> optimizer = danlu.Choice({"sgd": {"lr": danlu.Float(0, 1)}})
    >>> space = danlu.SearchSpace({"opt": optimizer})
    >>> [dimension.path for dimension in space.dimensions]
    ['opt', 'opt=sgd/lr']
    """

    path: str
    name: str
    domain: Domain
    parent: str | None = None
    option: Value = None


@dataclass(frozen=True)
class SearchSpace:
    """The hyperparameters that a study may vary, and what it holds constant.

    `domains` maps a name to its domain. `fixed` is handed to every trial beside them.
    `pinned` (path to value) takes dimensions out of the cube: one arm of a study.

    >>> import danlu
    >>> space = danlu.SearchSpace({"lr": danlu.Float(1e-4, 1.0, log=True),
    ...                            "layers": danlu.Int(1, 4)})
    >>> space.decode([0.5, 0.1])
    {'lr': 0.01, 'layers': 1}
    >>> space.encode({"lr": 0.01, "layers": 1}).tolist()
    [0.5, 0.125]

    Raises:
        SpaceError: no domain, a bad name, or one name for two things at once.
    """

    domains: Mapping[str, Domain]
    fixed: Params = field(default_factory=dict)
    pinned: Params = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_mappings(self)
        object.__setattr__(self, "domains", dict(self.domains))
        fixed = {name: plain(value) for name, value in self.fixed.items()}
        object.__setattr__(self, "fixed", fixed)
        _check_names(self)
        pinned = {
            path: self._pinned(path, value) for path, value in self.pinned.items()
        }
        object.__setattr__(self, "pinned", pinned)

    @cached_property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The axes of the cube in order, parents before what depends on them."""
        return tuple(
            dimension
            for dimension in self._every.values()
            if dimension.path not in self.pinned and self._reachable(dimension)
        )

    @cached_property
    def _every(self) -> dict[str, Dimension]:
        return {
            dimension.path: dimension for dimension in _walk(self.domains, None, None)
        }

    def __len__(self) -> int:
        return len(self.dimensions)

    def decode(self, u: Sequence[float] | Array) -> dict[str, Value]:
        """The params at the point `u` (d,) of the unit cube, fixed ones included.

        Entries of inactive dimensions are not looked at and may be nan.

        Raises:
            SpaceError: `u` has another length, or an active entry outside [0, 1].
        """
        if len(u) != len(self):
            raise SpaceError(
                f"decode needs {len(self)} numbers in [0, 1], got {len(u)}"
            )
        values: dict[str, Value] = {}
        at = iter(u)
        for dimension in self._every.values():
            if not self._reachable(dimension):
                continue
            if dimension.path in self.pinned:
                if is_active(dimension, values):
                    values[dimension.path] = self.pinned[dimension.path]
                continue
            place = float(next(at))
            if is_active(dimension, values):
                if not 0 <= place <= 1:
                    raise SpaceError(f"{dimension.path} is at {place}, not in [0, 1]")
                values[dimension.path] = dimension.domain.decode(place)
        return self._by_name(values)

    def encode(self, params: Params) -> Array:
        """The point (d,) of the unit cube where `params` are; inactive ones are nan.

        Raises:
            SpaceError: `params` are not in the space (see `admit`).
        """
        values = self.by_path(params)
        u = np.full(len(self), np.nan)
        for column, dimension in enumerate(self.dimensions):
            if dimension.path in values:
                value = values[dimension.path]
                u[column] = dimension.domain.encode(value)  # type: ignore[arg-type]
        return u

    def admit(self, params: Params) -> dict[str, Value]:
        """`params` as this space keeps them: checked, in order, fixed ones added.

        Raises:
            SpaceError: a name is unknown, inactive or missing, or a value is outside.
        """
        return self._by_name(self.by_path(params))

    def by_path(self, params: Params) -> dict[str, Value]:
        """The value of every active path, pinned ones included.

        >>> import danlu
        >>> optimizer = danlu.Choice({"sgd": {"lr": danlu.Float(0, 1)}})
        >>> space = danlu.SearchSpace({"opt": optimizer})
        >>> space.by_path({"opt": "sgd", "lr": 0.1})
        {'opt': 'sgd', 'opt=sgd/lr': 0.1}

        Raises:
            SpaceError: `params` are not in the space (see `admit`).
        """
        values: dict[str, Value] = {}
        for dimension in self._every.values():
            if not is_active(dimension, values):
                continue
            pinned = self.pinned.get(dimension.path)
            if dimension.name not in params:
                if dimension.path not in self.pinned:
                    raise SpaceError(
                        f"params lack {dimension.name!r} ({dimension.domain})"
                    )
                values[dimension.path] = pinned
                continue
            try:
                value = dimension.domain.admit(params[dimension.name])
            except SpaceError as error:
                raise SpaceError(f"{dimension.name}: {error}") from None
            if dimension.path in self.pinned and value != pinned:
                raise SpaceError(
                    f"{dimension.name} is held at {pinned!r}, got {value!r}"
                )
            values[dimension.path] = value
        self._check_rest(params, values)
        return values

    def __contains__(self, params: Params) -> bool:
        try:
            self.by_path(params)
        except SpaceError:
            return False
        return True

    def pin(self, values: Params) -> SearchSpace:
        """This space with some dimensions (by path) held at a value.

        >>> import danlu
        >>> space = danlu.SearchSpace({"opt": danlu.Choice(["adam", "sgd"]),
        ...                            "lr": danlu.Float(0, 1)})
        >>> space.pin({"opt": "sgd"}).decode([0.5])
        {'opt': 'sgd', 'lr': 0.5}
        """
        return SearchSpace(self.domains, self.fixed, {**self.pinned, **values})

    def _pinned(self, path: str, value: Value) -> Value:
        if path not in self._every:
            hint = did_you_mean(path, self._every)
            raise SpaceError(f"no hyperparameter {path!r} in the space: {hint}")
        return self._every[path].domain.admit(value)

    def _reachable(self, dimension: Dimension) -> bool:
        """Whether no pinned choice rules this dimension out."""
        while dimension.parent is not None:
            parent = self._every[dimension.parent]
            if parent.path in self.pinned and not same(
                self.pinned[parent.path], dimension.option
            ):
                return False
            dimension = parent
        return True

    def _by_name(self, values: Mapping[str, Value]) -> dict[str, Value]:
        named = {self._every[path].name: value for path, value in values.items()}
        return {**named, **self.fixed}

    def _check_rest(self, params: Params, values: Mapping[str, Value]) -> None:
        """Raises for names that are neither active nor fixed."""
        active = {self._every[path].name for path in values}
        for name, value in params.items():
            if name in self.fixed:
                if plain(value) != self.fixed[name]:
                    fixed = self.fixed[name]
                    raise SpaceError(f"{name} is fixed at {fixed!r}, got {value!r}")
            elif name not in active:
                inactive = {d.name for d in self._every.values()}
                if name in inactive:
                    raise SpaceError(f"{name!r} is not active under these params")
                hint = did_you_mean(str(name), [*active, *self.fixed])
                raise SpaceError(f"no hyperparameter {name!r} in the space: {hint}")


def path_of(parent: str | None, option: Value, name: str) -> str:
    """The path of the hyperparameter `name` that `option` of `parent` brings.

    >>> path_of("optimizer", "adam", "lr"), path_of(None, None, "lr")
    ('optimizer=adam/lr', 'lr')
    """
    return name if parent is None else f"{parent}={option}/{name}"


def _walk(
    domains: Mapping[str, Domain], parent: str | None, option: Value
) -> Iterable[Dimension]:
    """Every dimension below a branch, parents before their children."""
    for name, domain in domains.items():
        path = path_of(parent, option, name)
        yield Dimension(path, name, domain, parent, option)
        if isinstance(domain, Choice):
            for own_option, own in domain.branches.items():
                yield from _walk(own, path, own_option)


def is_active(dimension: Dimension, values: Mapping[str, Value]) -> bool:
    """Whether the choice that a dimension depends on has its option, in `values`.

    >>> is_active(Dimension("opt=sgd/lr", "lr", Float(0, 1), "opt", "sgd"), {})
    False
    """
    if dimension.parent is None:
        return True
    return dimension.parent in values and same(
        values[dimension.parent], dimension.option
    )


def _check_mappings(space: SearchSpace) -> None:
    for field_name in ("domains", "fixed", "pinned"):
        value = getattr(space, field_name)
        if not isinstance(value, Mapping):
            raise SpaceError(f"{field_name} is a dict of names, got {shown(value)}")


def _check_names(space: SearchSpace) -> None:
    if not space.domains:
        raise SpaceError("a search space needs at least one hyperparameter, got none")
    seen: set[str] = set()
    for dimension in _walk(space.domains, None, None):
        _check_name(dimension.name)
        if not isinstance(dimension.domain, Float | Int | Choice):
            raise SpaceError(
                f"{dimension.path} needs a Float, Int or Choice: {dimension.domain!r}"
            )
        if dimension.path in seen:
            raise SpaceError(f"{dimension.path!r} stands for two hyperparameters")
        seen.add(dimension.path)
        if dimension.name in space.fixed:
            raise SpaceError(
                f"{dimension.name!r} is both fixed and in the search space"
            )
    for name in space.fixed:
        _check_name(name)
    _check_shadows(space.domains, frozenset())


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise SpaceError(f"a name must be text, got {name!r}")
    if not is_name(name):
        raise SpaceError(f"a name must be valid Unicode, got {name!r}")


def _check_shadows(domains: Mapping[str, Domain], outer: frozenset[str]) -> None:
    """Raises where two hyperparameters of one name could be active at once."""
    for name in domains:
        if name in outer:
            raise SpaceError(f"{name!r} stands twice, once inside a branch: rename one")
    choices = {name: d for name, d in domains.items() if isinstance(d, Choice)}
    beside = outer | frozenset(domains)
    inside = {name: _names_inside(choice) for name, choice in choices.items()}
    for name, choice in choices.items():
        others = (inside[other] for other in choices if other != name)
        for own in choice.branches.values():
            _check_shadows(own, beside.union(*others))


def _names_inside(choice: Choice) -> frozenset[str]:
    names: set[str] = set()
    for own in choice.branches.values():
        for name, domain in own.items():
            names.add(name)
            if isinstance(domain, Choice):
                names |= _names_inside(domain)
    return frozenset(names)
