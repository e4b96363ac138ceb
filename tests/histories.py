"""Studies with results, for tests of what is made of results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from danlu import Curve, History, Kind, State, Study, Trial
from danlu.domain import Domain
from danlu.sequence import point


def searched(
    space: Mapping[str, Domain],
    loss: Callable[[Mapping[str, Any]], float],
    *,
    count: int = 40,
    seed: int = 0,
    steps: int = 10,
    **fields: Any,
) -> tuple[Study, History]:
    """A study whose trials were spread evenly, each with a falling curve to its loss.

    Each step of a trial took a second.
    """
    given = {"trials": count, "max_steps": steps, "sampler": "quasi_random", **fields}
    study = Study("s", "Which is best?", "loss", dict(space), seed=seed, **given)
    own = study.search_space
    tried = [own.decode(point("sobol", len(own), seed, n)) for n in range(count)]
    trials = [ended(n, params, loss(params), steps) for n, params in enumerate(tried)]
    return study, History(own, study.objective, trials, max_steps=steps)


def ended(
    number: int,
    params: Mapping[str, Any],
    loss: float,
    steps: int = 10,
    kind: Kind = Kind.SEARCH,
) -> Trial:
    """A completed trial whose curve falls to its loss."""
    curve = Curve.of({step: loss + 1 - step / steps for step in range(1, steps + 1)})
    return Trial(
        number,
        params,
        State.COMPLETED,
        kind,
        index=number,
        curves={"loss": curve},
        started_s=0.0,
        ended_s=float(steps),
    )
