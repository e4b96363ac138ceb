"""Generated tasks: losses as functions of params, shaped as those of networks are.

All have loss = 0.05 + 0.85 (1 - exp(-q)), where q >= 0 is a weighted sum of squared
distances: a bowl around the optimum (q = 0) and a plateau far from it, as a network
that learns nothing keeps the loss of chance. What is seen has normal noise of 0.005.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.random import Generator

from .task import (
    Entry,
    Params,
    Task,
    Train,
    entry,
    is_active,
    options,
    place,
    random_params,
    under,
    value_at,
)

FLOOR, RANGE, NOISE = 0.05, 0.85, 0.005
DRAWS = 2000  # random params of which the median and the diverging third are taken
DIVERGING = 1 / 3  # of the space
INPUTS, CLASSES = 64, 10  # of the network whose weights are counted

TRAINING: Sequence[Entry] = (
    entry("lr", 1e-5, 1.0, log=True),
    entry("batch_size", 16, 1024, log=True),
    entry("one_minus_momentum", 0.01, 0.5, log=True),
    entry("warmup", 0.0, 0.3),
    entry("weight_decay", 1e-6, 0.1, log=True),
    entry("dropout", 0.0, 0.6),
    entry("layers", 1, 8),
)
CHANGED: Sequence[Entry] = (
    entry("lr", 1e-4, 10.0, log=True),
    entry("batch_size", 16, 256, log=True),
    *(one for one in TRAINING[2:] if one["name"] != "warmup"),
)
# What q weighs a distance of the whole range with; heat is in decades. Few params
# matter much, as in most trainings (Bergstra and Bengio, 2012).
HEAT_WEIGHT, WEIGHTS = 0.3, (0.0, 0.15, 0.15, 0.15, 0.5, 1.0, 2.0)


def smooth(instance: int) -> Task:
    """A training with seven hyperparameters, of which the step's size matters most."""
    rng = np.random.default_rng(instance)
    q = _bowl(optimum(instance), _weights(rng))
    return _task(f"smooth:{instance}", TRAINING, q)


def moved(instance: int, best: Params, *, changed: bool = False) -> Task:
    """`smooth(instance)` with its optimum at `best`.

    If its space is `changed`, it has a warm-up that nobody varied, learning rates from
    1e-4 to 10 instead of 1e-5 to 1, and batches up to 256 only.
    """
    q = _bowl(best, _weights(np.random.default_rng(instance)))
    if not changed:
        return _task(f"moved:{instance}", TRAINING, q)
    warmup = best["warmup"]
    return _task(
        f"changed:{instance}", CHANGED, lambda params: q({**params, "warmup": warmup})
    )


def optimum(instance: int) -> dict[str, Any]:
    """The params at which `smooth(instance)` is best: off the middle and the edges."""
    rng = np.random.default_rng([instance, 1])
    return {one["name"]: value_at(one, rng.uniform(0.2, 0.8)) for one in TRAINING}


def diverging(name: str, margin: float, *, share: float = DIVERGING) -> Task:
    """As `smooth`, but a share of the space diverges: all that is hotter than a limit.

    The optimum lies `margin` decades below the limit (the edge of stability).
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    heats = [heat(random_params(TRAINING, rng)) for _ in range(DRAWS)]
    limit = float(np.quantile(heats, 1 - share))
    q = _bowl(_optimum_below(limit - margin, rng), _weights(rng))
    return _task(
        f"diverging:{name}",
        TRAINING,
        lambda params: math.nan if heat(params) > limit else q(params),
    )


def heat(params: Params) -> float:
    """The size of a step in decades: lr / ((1 - momentum) sqrt(batch) 10^(3 warmup)).

    A larger batch and a longer warm-up bear a larger lr (Goyal et al., 2017).
    """
    step = params["lr"] / params["one_minus_momentum"] / params["batch_size"] ** 0.5
    return math.log10(step) - 3 * float(params["warmup"])


def _bowl(best: Params, weights: Mapping[str, float]) -> Callable[[Params], float]:
    """q, twice as steep towards hotter steps than towards colder ones."""
    hottest = heat(best)

    def q(params: Params) -> float:
        hotter = heat(params) - hottest
        total = HEAT_WEIGHT * hotter**2 * (2 if hotter > 0 else 1)
        for one in TRAINING:
            name = one["name"]
            distance = place(one, params[name]) - place(one, best[name])
            total += weights[name] * distance**2
        return total

    return q


def _weights(rng: Generator) -> dict[str, float]:
    """The weights in random order; lr has its own through the heat."""
    others = [one["name"] for one in TRAINING[1:]]
    shuffled = rng.permutation(WEIGHTS[1:])
    return {"lr": WEIGHTS[0], **dict(zip(others, map(float, shuffled), strict=True))}


def _optimum_below(wanted: float, rng: Generator) -> dict[str, Any]:
    """Params of that heat: all but lr are drawn, until the lr is within its bounds."""
    lr = TRAINING[0]
    while True:
        params = {one["name"]: value_at(one, rng.uniform(0.2, 0.8)) for one in TRAINING}
        params["lr"] *= 10 ** (wanted - heat(params))
        if 0.1 <= place(lr, params["lr"]) <= 0.9:
            return params


OPTIMIZERS: Mapping[str, Sequence[Entry]] = {
    "sgd": (
        entry("sgd_lr", 1e-4, 10.0, log=True),
        entry("sgd_one_minus_momentum", 0.01, 1.0, log=True),
    ),
    "adam": (
        entry("adam_lr", 1e-5, 0.1, log=True),
        entry("adam_one_minus_beta2", 1e-4, 0.1, log=True),
    ),
    "rmsprop": (
        entry("rmsprop_lr", 1e-5, 0.1, log=True),
        entry("rmsprop_one_minus_decay", 1e-3, 0.5, log=True),
    ),
}
DEPTHS = (1, 2, 3, 4)
NETWORK: Sequence[Entry] = (
    options("optimizer", list(OPTIMIZERS)),
    *(
        one
        for name, own in OPTIMIZERS.items()
        for one in under("optimizer", [name], *own)
    ),
    options("depth", DEPTHS, ordered=True),
    *(
        under("depth", DEPTHS[layer:], entry(f"width_{layer + 1}", 8, 1024, log=True))[
            0
        ]
        for layer in range(len(DEPTHS))
    ),
    entry("weight_decay", 1e-6, 0.1, log=True),
    entry("dropout", 0.0, 0.6),
)


def conditional(instance: int) -> Task:
    """An optimizer with its own hyperparameters, and a depth with a width per layer.

    q = offset of the optimizer (0, 0.05 and 0.15 in random order; 0 is the best's)
      + 0.6 (decades from the best lr of this optimizer; SGD's counts lr / (1 - m))^2
      + 1 (place of its second hyperparameter, from the best)^2
      + 0.03 (depth - best)^2
      + 0.04 (log2 weights of the network - best)^2
      + 0.02 mean (log2 of the ratio of neighboring widths)^2
      + 2 (place of dropout, from a best that rises with the weights)^2
      + 1 (place of weight decay, from the best)^2
    """
    offsets, best = _network_facts(instance)
    size = _size([best["width_1"]] * best["depth"])

    def q(params: Params) -> float:
        optimizer = params["optimizer"]
        widths = [params[f"width_{layer + 1}"] for layer in range(params["depth"])]
        bigger = _size(widths) - size
        taper = [math.log2(after / before) ** 2 for before, after in pairwise(widths)]
        dropout, decay = (_apart(name, params, best) for name in LAST)
        return float(
            offsets[optimizer]
            + _optimizer_part(optimizer, params, best)
            + 0.03 * (params["depth"] - best["depth"]) ** 2
            + 0.04 * bigger**2
            + 0.02 * (sum(taper) / len(taper) if taper else 0)
            + 2 * (dropout - 0.05 * bigger) ** 2
            + decay**2
        )

    return _task(f"conditional:{instance}", NETWORK, q)


def network_optimum(instance: int) -> dict[str, Any]:
    """The params at which `conditional(instance)` is best: all widths are the same."""
    offsets, best = _network_facts(instance)
    best["optimizer"] = min(offsets, key=lambda name: offsets[name])
    best |= {f"width_{layer + 1}": best["width_1"] for layer in range(len(DEPTHS))}
    params: dict[str, Any] = {}
    for one in NETWORK:
        if is_active(one, params):
            params[one["name"]] = best[one["name"]]
    return params


def _network_facts(instance: int) -> tuple[dict[str, float], dict[str, Any]]:
    """The offsets of the optimizers, and the best value of every hyperparameter."""
    rng = np.random.default_rng([instance, 2])
    offsets = dict(zip(OPTIMIZERS, rng.permutation([0.0, 0.05, 0.15]), strict=True))
    best = {one["name"]: value_at(one, rng.uniform(0.25, 0.75)) for one in NETWORK}
    return offsets, best


LAST = ("dropout", "weight_decay")
_BY_NAME = {one["name"]: one for one in NETWORK}


def _optimizer_part(optimizer: str, params: Params, best: Params) -> float:
    lr, second = (one["name"] for one in OPTIMIZERS[optimizer])
    decades = math.log10(params[lr] / best[lr])
    if optimizer == "sgd":
        decades -= math.log10(params[second] / best[second])
    return 0.6 * decades**2 + _apart(second, params, best) ** 2


def _apart(name: str, params: Params, best: Params) -> float:
    one = _BY_NAME[name]
    return place(one, params[name]) - place(one, best[name])


def _size(widths: Sequence[int]) -> float:
    """log2 of the number of weights of a network with these hidden layers."""
    return math.log2(sum(a * b for a, b in pairwise([INPUTS, *widths, CLASSES])))


def _task(name: str, space: Sequence[Entry], q: Callable[[Params], float]) -> Task:
    rng = np.random.default_rng(0)
    drawn = [_loss(q(random_params(space, rng))) for _ in range(DRAWS)]
    return Task(name, space, _noisy(space, q), FLOOR, float(np.nanmedian(drawn)))


def _loss(q: float) -> float:
    return FLOOR + RANGE * (1 - math.exp(-q))


def _noisy(space: Sequence[Entry], q: Callable[[Params], float]) -> Train:
    """The same params under the same seed are seen with the same noise."""

    def train(params: Params, seed: int) -> tuple[float, float]:
        active = {one["name"]: params[one["name"]] for one in _active(space, params)}
        key = zlib.crc32(json.dumps(active, sort_keys=True).encode())
        true = _loss(q(active))
        return true + NOISE * np.random.default_rng([seed, key]).normal(), true

    return train


def _active(space: Sequence[Entry], params: Params) -> list[Entry]:
    return [one for one in space if is_active(one, params)]
