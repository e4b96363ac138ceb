"""Where in the unit cube the best is believed to be, before any trial.

A belief bends the search towards a value without ever excluding another one: a share
of the points lies around the value, the rest is spread evenly as without it. Mixing the
two is how PriorBand (Mallik et al., 2023) keeps a wrong belief from being the end. Each
dimension is mixed on its own. So with several beliefs nearly every point is bent by
one of them, and a sampler that learns would see little else: it takes turns (`due`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from .domain import Belief, Choice, Domain
from .space import Array, Params, SearchSpace, path_of
from .value import Value

# Standard deviation in the unit cube: two thirds of what lies around the center is
# within a tenth of the range, which is what "about this large" means for a range of
# some orders of magnitude (3 times more or less, in 1e-5..1).
SPREAD = 0.1
LEAST_TRIALS = 4  # with a loss, below which a belief stands whatever they say
_HALVINGS = 55  # of [0, 1], after which an interval is shorter than a float's 2**-53


def spread(space: SearchSpace, u: Array) -> Array:
    """Evenly spread points `u` (n, d) of the cube, moved to where they are believed.

    Each dimension goes through the inverse of its believed distribution function, so
    that a low-discrepancy sequence stays one. Without beliefs, `u` itself comes back.
    nan stays nan.

    >>> import danlu, numpy
    >>> belief = danlu.Belief(0.3, confidence=0.8)
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1, belief=belief)})
    >>> spread(space, numpy.array([[0.1], [0.5], [0.9]])).round(2).tolist()
    [[0.16], [0.31], [0.54]]
    """
    believed = _believed_columns(space)
    if not believed:
        return u
    moved = np.array(u, np.float64)
    alike = [(column, own) for column, own in believed if _unordered(own) is None]
    for column, domain in believed:
        if (count := _unordered(domain)) is not None:
            moved[:, column] = _inverse_share(*_facts(domain), count, u[:, column])
    if alike:
        columns = [column for column, _ in alike]
        centers, confidences = np.array([_facts(own) for _, own in alike]).T
        moved[:, columns] = _inverse_bell(centers, confidences, moved[:, columns])
    return moved


def log_belief(space: SearchSpace, x: Array) -> Array:
    """The log density (n,) of what is believed at the points `x` (n, d) of the cube.

    It is relative to an even spread: 0 everywhere without beliefs. Inactive dimensions
    (nan) add nothing.

    >>> import danlu, numpy
    >>> belief = danlu.Belief(0.3, confidence=0.8)
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1, belief=belief)})
    >>> log_belief(space, numpy.array([[0.3], [0.9]])).round(2).tolist()
    [1.22, -1.61]
    """
    total = np.zeros(len(x))
    for column, domain in _believed_columns(space):
        places = x[:, column]
        active = ~np.isnan(places)
        total[active] += np.log(_density(domain, places[active]))
    return total


def due(space: SearchSpace, position: int) -> SearchSpace:
    """The space as the point at `position` is chosen: with its beliefs or without them.

    A share of the points is chosen as if nothing were believed: 1 less the largest
    confidence, spread evenly over the positions, the first of all with the beliefs. So
    whatever is believed, a study of n trials has (1 - confidence) n that a study
    without beliefs could have had too. Points of both spaces are the same.

    >>> import danlu
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1, belief=danlu.Belief(0.3))})
    >>> [due(space, position) is space for position in range(4)]
    [True, False, True, False]
    """
    believed = _believed_columns(space)
    if not believed:
        return space
    confidence = max(own.belief.confidence for _, own in believed if own.belief)
    plain = 1 - confidence
    if math.floor(position * plain) == math.floor((position + 1) * plain):
        return space
    return without_beliefs(space)


def is_refuted(space: SearchSpace, x: Array, losses: Array) -> bool:
    """Whether trials at points (n, d) are worse the more was believed of their place.

    That is a Spearman rank correlation above 0 of the believed density and the losses
    (n,), of which nan ones say nothing. Trials far from what is believed are needed for
    it, which `due` provides.

    >>> import danlu, numpy
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1, belief=danlu.Belief(0.3))})
    >>> x = numpy.array([[0.2], [0.3], [0.6], [0.7], [0.9]])
    >>> is_refuted(space, x, (x[:, 0] - 0.35) ** 2)
    False
    >>> is_refuted(space, x, (x[:, 0] - 0.8) ** 2)
    True
    """
    known = np.isfinite(losses)
    if known.sum() < LEAST_TRIALS or not _believed_columns(space):
        return False
    from scipy.stats import rankdata  # 0.7 s to import: only where there is a belief

    believed = rankdata(log_belief(space, x[known]))
    ranks = rankdata(losses[known])
    return bool((believed - believed.mean()) @ (ranks - ranks.mean()) > 0)


def without_beliefs(space: SearchSpace) -> SearchSpace:
    """The same space, of which nothing is believed.

    >>> import danlu
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1, belief=danlu.Belief(0.3))})
    >>> without_beliefs(space).domains["x"].belief is None
    True
    """
    return SearchSpace(_without(space.domains), space.fixed, space.pinned)


def centered(space: SearchSpace, params: Params) -> SearchSpace:
    """The same space, of which is believed that the best lies around `params`.

    They are inside the space; of hyperparameters that they do not have, nothing is
    believed.

    >>> import danlu
    >>> space = danlu.SearchSpace({"x": danlu.Float(0, 1)})
    >>> centered(space, {"x": 0.25}).domains["x"].belief
    Belief(center=0.25, confidence=0.5)
    """
    domains = _centered(space.domains, space.by_path(params))
    return SearchSpace(domains, space.fixed, space.pinned)


def _without(domains: Mapping[str, Domain]) -> dict[str, Domain]:
    """The domains without their beliefs, those under options too."""
    plain: dict[str, Domain] = {}
    for name, domain in domains.items():
        if isinstance(domain, Choice):
            own = {option: _without(under) for option, under in domain.branches.items()}
            domain = replace(domain, branches=own)
        plain[name] = replace(domain, belief=None)
    return plain


def _centered(
    domains: Mapping[str, Domain],
    values: Mapping[str, Value],
    parent: str | None = None,
    option: Value = None,
) -> dict[str, Domain]:
    """The domains with beliefs in the values by path, those under options too."""
    believed: dict[str, Domain] = {}
    for name, domain in domains.items():
        path = path_of(parent, option, name)
        if isinstance(domain, Choice):
            own = {
                choice: _centered(under, values, path, choice)
                for choice, under in domain.branches.items()
            }
            domain = replace(domain, branches=own)
        belief = Belief(values[path]) if path in values else None
        believed[name] = replace(domain, belief=belief)
    return believed


def _believed_columns(space: SearchSpace) -> list[tuple[int, Domain]]:
    return [
        (column, dimension.domain)
        for column, dimension in enumerate(space.dimensions)
        if dimension.domain.belief is not None
    ]


def _facts(domain: Domain) -> tuple[float, float]:
    """Where in [0, 1] the center of a domain's belief is, and the confidence."""
    belief = domain.belief
    if belief is None:
        raise ValueError(f"nothing is believed about {domain}")
    return domain.encode(belief.center), belief.confidence  # type: ignore[arg-type]


def _density(domain: Domain, places: Array) -> Array:
    center, confidence = _facts(domain)
    if (count := _unordered(domain)) is not None:
        options = np.minimum(np.floor(places * count), count - 1)
        around = count * (options == math.floor(center * count))
    else:
        around = _bell(center, places)
    mixed: Array = confidence * around + (1 - confidence)
    return mixed


def _inverse_share(center: float, confidence: float, count: int, u: Array) -> Array:
    """Where the shares `u` (n,) end if the option at `center` has its own on top."""
    option = math.floor(center * count)
    places = np.array([0.0, option / count, (option + 1) / count, 1.0])
    below = (1 - confidence) * places + confidence * np.array([0.0, 0.0, 1.0, 1.0])
    moved: Array = np.interp(u, below, places)
    return moved


def _inverse_bell(centers: Array, confidences: Array, u: Array) -> Array:
    """Where the shares `u` (n, m) of what is believed end, by halving [0, 1]."""
    low, high = np.zeros_like(u), np.ones_like(u)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        bell = _bell_below(centers, middle)
        below = confidences * bell + (1 - confidences) * middle
        low, high = np.where(below < u, middle, low), np.where(below < u, high, middle)
    return np.where(np.isnan(u), np.nan, (low + high) / 2)


def _unordered(domain: Domain) -> int | None:
    """How many options a choice without an order has; None for all other domains."""
    unordered = isinstance(domain, Choice) and not domain.ordered
    return len(domain.options) if unordered else None  # type: ignore[union-attr]


def _bell(center: float, places: Array) -> Array:
    """The density of the normal distribution around `center`, cut to [0, 1]."""
    heights = np.exp(-0.5 * ((places - center) / SPREAD) ** 2)
    inside = _normal_below((1 - center) / SPREAD) - _normal_below(-center / SPREAD)
    density: Array = heights / (SPREAD * math.sqrt(2 * math.pi) * inside)
    return density


def _bell_below(centers: Array, places: Array) -> Array:
    """Its distribution function at `places` (n, m), for each of `centers` (m,)."""
    first, last = (_normal_below((end - centers) / SPREAD) for end in (0, 1))
    share: Array = (_normal_below((places - centers) / SPREAD) - first) / (last - first)
    return share


def _normal_below(z: Array | float) -> Array:
    """The standard normal distribution function."""
    from scipy.special import ndtr  # 0.1 s to import: only where there is a belief

    below: Array = ndtr(z)
    return below
