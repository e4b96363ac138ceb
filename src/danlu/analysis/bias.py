"""Whether a study's points were chosen by its results, which biases what is seen."""

from __future__ import annotations

from collections.abc import Sequence

from ..samplers.base import Sampler

STEADY = ("random", "quasi_random", "grid", "fixed")  # blind to the results


def is_adaptive(sampler: Sampler | str, scientific: Sequence[str] = ()) -> bool:
    """Whether a study's sampler looks at the trials so far.

    `auto` does not where there are scientific hyperparameters.

    >>> is_adaptive("quasi_random"), is_adaptive("gp"), is_adaptive("auto", ["depth"])
    (False, True, False)
    """
    if not isinstance(sampler, str):
        return sampler.adaptive
    return sampler not in STEADY and not (sampler == "auto" and scientific)
