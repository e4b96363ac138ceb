"""Studies with a known surface of losses, for tests of the checks of the space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from danlu.domain import Domain, Float
from danlu.history import History
from danlu.sequence import point
from danlu.study import Study
from danlu.trial import Curve, State, Trial

Surface = Callable[[Mapping[str, Any]], float | None]


def unit(count: int) -> dict[str, Domain]:
    """`count` hyperparameters a, b, c ... from 0 to 1."""
    return {"abcdefghijklmnop"[place]: Float(0, 1) for place in range(count)}


def drawn(
    space: Mapping[str, Domain],
    surface: Surface,
    *,
    count: int,
    seed: int,
    noise: float = 0.0,
    **changes: Any,
) -> tuple[Study, History]:
    """A finished study of quasi-random trials; a surface of None is infeasible."""
    fields: dict[str, Any] = {
        "name": "drawn",
        "goal": "Where is the minimum?",
        "metric": "loss",
        "space": space,
        "trials": count,
        "sampler": "quasi_random",
        "seed": seed,
        **changes,
    }
    study = Study(**fields)
    rng = np.random.default_rng(seed)
    trials = [
        trial(study, number, surface, noise * rng.normal()) for number in range(count)
    ]
    return study, History(study.search_space, study.objective, trials)


def trial(study: Study, number: int, surface: Surface, noise: float) -> Trial:
    """The trial at the study's quasi-random point `number`, arms in turn."""
    arms = study.arm_spaces
    space, place = arms[number % len(arms)], number // len(arms)
    params = space.decode(
        point("sobol", len(space), study.seed + number % len(arms), place)
    )
    loss = surface(params)
    if loss is None:
        return Trial(number, params, State.INFEASIBLE, seed=number, reason="diverged")
    curves = {"loss": Curve.of({1: loss + noise})}
    return Trial(number, params, State.COMPLETED, seed=number, curves=curves)


def bowl(optimum: Mapping[str, float], **weights: float) -> Surface:
    """4 w (x - optimum)^2, added up; the weights are 1."""

    def surface(params: Mapping[str, Any]) -> float:
        return sum(
            4 * weights.get(name, 1.0) * (float(params[name]) - best) ** 2
            for name, best in optimum.items()
        )

    return surface
