"""Optimizers: which of their hyperparameters to search with how many trials (D7).

Source: Google's Deep Learning Tuning Playbook. Momentum and betas are searched as
`1 - beta` on a log scale: from 0.9 to 0.99 the memory grows tenfold, as it does from
0.99 to 0.999.
"""

from __future__ import annotations

from ..analysis.design.effort import FROM_BETA1, FROM_BETA2, FROM_EPSILON
from ..domain import Belief, Float
from ..space import SearchSpace
from .entry import Entry, check_trials, space_of

ADAM_RATE = Entry(
    "lr",
    Float(1e-5, 1e-1, log=True),
    "the most important one; 1e-3 is Adam's default (Kingma & Ba, 2015), and good "
    "values lie within two orders of magnitude of it",
)
BETA1 = Entry(
    "one_minus_beta1",
    Float(4e-3, 0.3, log=True, belief=Belief(0.1)),
    "from 10 trials on: beta1 from 0.7 to 0.996, 0.9 by default; AlgoPerf searches "
    "0.9 to 0.996 (Dahl et al., 2023)",
)
EPSILON = Entry(
    "epsilon",
    Float(1e-10, 1e-2, log=True, belief=Belief(1e-8)),
    "above 25 trials: 1e-8 by default; a large one makes Adam act as SGD with "
    "momentum (Choi et al., 2019)",
)
BETA2 = Entry(
    "one_minus_beta2",
    Float(1e-4, 1e-1, log=True, belief=Belief(1e-3)),
    "from 50 trials on: beta2 from 0.9 to 0.9999, 0.999 by default",
)
DECOUPLED_DECAY = Entry(
    "weight_decay",
    Float(1e-4, 1.0, log=True),
    "decoupled from the gradient (Loshchilov & Hutter, 2019); AlgoPerf searches 5e-3 "
    "to 1 (Dahl et al., 2023), small data may want less",
)
NADAM_RATE = Entry(
    "lr",
    Float(1e-5, 3e-2, log=True),
    "the most important one; AlgoPerf searches 1e-4 to 1e-2 with Nadam (Dahl et al., "
    "2023), one order of magnitude is left below and half a one above",
)
SGD_RATE = Entry(
    "lr",
    Float(1e-3, 1.0, log=True),
    "the most important one; for SGD it is some hundred times that of Adam, and 0.1 "
    "with batches of 256 is where many networks began (Goyal et al., 2017)",
)
MOMENTUM = Entry(
    "one_minus_momentum",
    Float(5e-3, 0.5, log=True, belief=Belief(0.1)),
    "from 10 trials on: momentum from 0.5 to 0.995, 0.9 by default; a larger one "
    "wants a smaller lr",
)


def adam(trials: int | None = None) -> SearchSpace:
    """Adam: what is worth searching with this many trials; all of it without.

    Below 10 trials the learning rate, from 10 on beta1 too, above 25 also epsilon, from
    50 on also beta2 (playbook D7).

    >>> import danlu
    >>> [list(danlu.presets.adam(trials).domains) for trials in (9, 25)]
    [['lr'], ['lr', 'one_minus_beta1']]

    Raises:
        StudyError: `trials` is not a whole number from 1.
    """
    return space_of(adam_entries(trials))


def adamw(trials: int | None = None) -> SearchSpace:
    """Adam with decoupled weight decay, which is searched from 10 trials on.

    >>> import danlu
    >>> list(danlu.presets.adamw(trials=20).domains)
    ['lr', 'weight_decay', 'one_minus_beta1']

    Raises:
        StudyError: `trials` is not a whole number from 1.
    """
    return space_of(adamw_entries(trials))


def nadam(trials: int | None = None) -> SearchSpace:
    """Adam with Nesterov's momentum, by the same rule as Adam.

    >>> import danlu
    >>> list(danlu.presets.nadam(trials=30).domains)
    ['lr', 'one_minus_beta1', 'epsilon']

    Raises:
        StudyError: `trials` is not a whole number from 1.
    """
    return space_of(nadam_entries(trials))


def nesterov(trials: int | None = None) -> SearchSpace:
    """SGD with Nesterov momentum, which is searched from 10 trials on.

    >>> import danlu
    >>> list(danlu.presets.nesterov(trials=10).domains)
    ['lr', 'one_minus_momentum']

    Raises:
        StudyError: `trials` is not a whole number from 1.
    """
    return space_of(nesterov_entries(trials))


def adam_entries(trials: int | None) -> tuple[Entry, ...]:
    """What `adam` is made of."""
    return _by_budget(ADAM_RATE, trials)


def adamw_entries(trials: int | None) -> tuple[Entry, ...]:
    """What `adamw` is made of."""
    rate, *others = _by_budget(ADAM_RATE, trials)
    return (rate, DECOUPLED_DECAY, *others) if others else (rate,)


def nadam_entries(trials: int | None) -> tuple[Entry, ...]:
    """What `nadam` is made of."""
    return _by_budget(NADAM_RATE, trials)


def nesterov_entries(trials: int | None) -> tuple[Entry, ...]:
    """What `nesterov` is made of."""
    check_trials(trials)
    both = trials is None or trials >= FROM_BETA1
    return (SGD_RATE, MOMENTUM) if both else (SGD_RATE,)


def _by_budget(rate: Entry, trials: int | None) -> tuple[Entry, ...]:
    """The rate, and the rest of Adam as far as the trials reach."""
    check_trials(trials)
    rest = ((BETA1, FROM_BETA1), (EPSILON, FROM_EPSILON), (BETA2, FROM_BETA2))
    reached = [own for own, least in rest if trials is None or trials >= least]
    return (rate, *reached)
