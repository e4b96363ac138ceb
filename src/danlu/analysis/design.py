"""Rules of thumb for a study's design, said before anything runs (playbook D3 to D8).

Source: Google's Deep Learning Tuning Playbook. Hyperparameters are recognized by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ..domain import Choice, Domain, Float, Int, Value
from ..space import Dimension, SearchSpace
from ..study import TRIALS_PER_ARM, Study
from .base import Finding, Level

TRIALS_PER_DIMENSION = 10  # playbook D6: "about 10 per dimension and arm"
DECADE = 10.0  # a multiplicative hyperparameter over more than this wants a log scale
LOG_SPAN = 1000.0  # from 0 there is no log scale: offer three decades below `high`
MOST_ARMS = 256  # arms are counted up to here
MOST_SHOWN = 6  # names listed in a sentence

_RATE = r"(\w+_)?(lr|learning_rate)(_(init|max|peak|base))?"
_COMPLEMENT = r"(one|1)_minus_\w+"
_OPTIMIZER = rf"{_RATE}|{_COMPLEMENT}|(\w+_)?(momentum|betas?_?\d?|eps|epsilon)|rho"
_DECAY = r"(\w+_)?(weight_decay|wd|l1|l2|l1_reg|l2_reg|l2_penalty)"
_DROPOUT = r"(\w+_)?(dropout|drop_?path|drop_?rate|stochastic_depth)(_(rate|p|prob))?"
_STRENGTH = rf"{_DECAY}|{_DROPOUT}|(label_)?smoothing|mixup_alpha|cutmix_alpha"
_REGULARIZER = rf"{_STRENGTH}|(\w+_)?(regulari[sz]\w+|augment\w*|mixup|cutmix)"
_ARCHITECTURE = (
    r"(\w+_)?(layers?|depth|width|units|hidden|channels|filters|heads|blocks?|"
    r"kernel|embedding|model|arch|architecture|backbone|activation|norm|"
    r"normalization)(_(size|dim|dims|type|width|depth))?"
)
_BATCH = r"(\w+_)?(batch|batch_size|batchsize|bs)"
_LENGTH = r"(max_|num_|n_|total_|train_|training_)*(epochs?|steps?|iterations?|iters?)"
_SCHEDULE = r"(\w+_)?(schedule|scheduler|decay|annealing)(_(type|name|kind))?"
# Not exponential or stepped: these do not depend on how long the training is.
_TO_THE_END = r"cosine\w*|linear\w*|one_?cycle|1_?cycle|poly\w*|wsd|trapezoid\w*"
_UNCUT = ("full", "scheduled", "pbt", "pb2")  # schedulers that end no trial early
_CHOOSER = r"opt|optim|optimi[sz]er"


def design(study: Study) -> tuple[Finding, ...]:
    """What the rules of thumb say about a study; empty when all is well.

    >>> import danlu
    >>> study = danlu.Study(
    ...     name="rates", goal="Which learning rate is best?", metric="val_error",
    ...     space={"lr": danlu.Float(1e-4, 1.0)}, trials=20,
    ... )
    >>> [finding.check for finding in design(study)]
    ['linear-scale']
    """
    rules = (
        _step_count,
        _batch_size,
        _scientific_optimizer,
        _fixed_optimizer,
        _scientific_strength,
        _shared_optimizer,
        _linear_scale,
        _log_dropout,
        _lost_arms,
        _too_few_trials,
        _fixed_limits,
        _cut_schedule,
    )
    found = (rule(study) for rule in rules)
    return tuple(finding for finding in found if finding is not None)


def _step_count(study: Study) -> Finding | None:
    """D6: the length of training is never a hyperparameter of a study."""
    paths = _paths(_varied(study), _LENGTH)
    if not paths:
        return None
    return Finding(
        "step-count",
        Level.WARNING,
        f"The search space varies {_listed(paths)}, the length of training: longer "
        "training nearly always looks better, so the search learns only that.",
        "Take it out of the space and set max_steps, the same for every trial.",
        {"paths": paths},
    )


def _batch_size(study: Study) -> Finding | None:
    """D6: the batch size is never tuned for validation error."""
    paths = _paths(_varied(study), _BATCH)
    if not paths:
        return None
    wanted = all(study.role(path) == "scientific" for path in paths)
    return Finding(
        "batch-size",
        Level.NOTICE if wanted else Level.WARNING,
        f"The search space varies {_listed(paths)}: a batch size sets the speed of "
        "training and is never tuned for validation error, since with the other "
        "hyperparameters tuned again any size can reach the same error.",
        "Fix it at the largest size that still raises examples per second.",
        {"paths": paths},
    )


def _scientific_optimizer(study: Study) -> Finding | None:
    """D6: optimizer hyperparameters are rarely scientific."""
    paths = _paths(_scientific(study), _OPTIMIZER)
    if not paths:
        return None
    return Finding(
        "scientific-optimizer",
        Level.NOTICE,
        f"{_subject(paths)} scientific: what an optimizer hyperparameter is best at "
        "depends on everything else and says little by itself.",
        "Make it a nuisance hyperparameter: leave it in the space and take it out of "
        "scientific.",
        {"paths": paths, "change": {"scientific": _without(study, paths)}},
    )


def _fixed_optimizer(study: Study) -> Finding | None:
    """D6: optimizer hyperparameters stay free while what they depend on is compared."""
    fixed = [name for name in study.fixed if _is(name, _OPTIMIZER, _DECAY)]
    fixed += [
        dimension.path
        for dimension in study.search_space.dimensions
        if _single(dimension.domain) and _is(dimension.name, _OPTIMIZER, _DECAY)
    ]
    compared = _paths(_scientific(study), _ARCHITECTURE, _BATCH, _REGULARIZER)
    if not fixed or not compared:
        return None
    return Finding(
        "fixed-optimizer",
        Level.WARNING,
        f"{_subject(compared)} scientific while {_subject(fixed)} fixed: each value "
        "may need another one, and the comparison favors the value that the fixed "
        "one happens to suit.",
        f"Put {_listed(fixed)} into the search space as nuisance.",
        {"fixed": fixed, "scientific": compared},
    )


def _scientific_strength(study: Study) -> Finding | None:
    """D6: a regularizer's strength is nuisance, its use is scientific."""
    paths = [
        dimension.path
        for dimension in _scientific(study)
        if _is(dimension.name, _STRENGTH) and not isinstance(dimension.domain, Choice)
    ]
    if not paths:
        return None
    return Finding(
        "scientific-strength",
        Level.NOTICE,
        f"{_subject(paths)} scientific: whether to use a regularizer is a question, "
        "how strong it should be is to be tuned for each answer.",
        "Make the use a scientific Choice with the options off and on, and put the "
        "strength inside the option on.",
        {"paths": paths, "change": {"scientific": _without(study, paths)}},
    )


def _shared_optimizer(study: Study) -> Finding | None:
    """D4: what exists under one name for two optimizers is two hyperparameters."""
    varied = _varied(study)
    for chooser in varied:
        several = isinstance(chooser.domain, Choice) and _is(chooser.name, _CHOOSER)
        beside = [d for d in varied if (d.parent, d.option) == _branch(chooser)]
        shared = _paths(beside, _OPTIMIZER)
        if several and shared:
            return Finding(
                "shared-optimizer",
                Level.NOTICE,
                f"All options of {chooser.path} share {_listed(shared)}: under "
                "different optimizers these are different hyperparameters, with "
                "different good ranges.",
                f"Move {_listed(shared)} into each option of {chooser.path} that has "
                "it, with a range of its own.",
                {"paths": shared, "choice": chooser.path},
            )
    return None


def _linear_scale(study: Study) -> Finding | None:
    """D8: multiplicative hyperparameters are searched on a log scale."""
    change: dict[str, Any] = {}
    ranges = []
    for dimension in _varied(study):
        domain = dimension.domain
        if isinstance(domain, Choice) or not _wide(domain):
            continue
        if _is(dimension.name, _RATE, _DECAY, _COMPLEMENT):
            change[dimension.path] = _on_log(domain)
            ranges.append(f"{dimension.path} over {domain}")
    if not change:
        return None
    paths = list(change)
    return Finding(
        "linear-scale",
        Level.WARNING,
        f"{_subject(ranges)} searched on a linear scale: nine in ten trials fall "
        "into the highest decade, and the others are hardly tried.",
        f"Search {_listed(paths)} on a log scale: {_log_advice(change)}.",
        {"paths": paths, "change": {"space": change}},
    )


def _log_dropout(study: Study) -> Finding | None:
    """D8: dropout is searched on a linear scale."""
    paths = [
        dimension.path
        for dimension in _varied(study)
        if _is(dimension.name, _DROPOUT) and getattr(dimension.domain, "log", False)
    ]
    if not paths:
        return None
    return Finding(
        "log-dropout",
        Level.NOTICE,
        f"{_subject(paths)} searched on a log scale: most trials get nearly none.",
        "Search it on a linear scale, which may begin at 0.",
        {
            "paths": paths,
            "change": {"space": {path: {"log": False} for path in paths}},
        },
    )


def _lost_arms(study: Study) -> Finding | None:
    """D5: with too few trials the scientific values are not sampled by themselves."""
    counted = replace(study, trials=MOST_ARMS * TRIALS_PER_ARM).arms
    if study.arms != ({},) or counted == ({},):
        return None
    need = len(counted) * TRIALS_PER_ARM
    return Finding(
        "lost-arms",
        Level.NOTICE,
        f"{_listed(study.scientific)} has {len(counted)} combinations for "
        f"{study.trials} trials, fewer than {TRIALS_PER_ARM} each: one sequence covers "
        "them all, and none is searched by itself.",
        f"Plan at least {need} trials, or compare fewer values.",
        {"arms": len(counted), "trials": study.trials, "change": {"trials": need}},
    )


def _too_few_trials(study: Study) -> Finding | None:
    """D6: about ten trials for each nuisance dimension of each arm."""
    dimensions = max(_nuisance_count(study, space) for space in study.arm_spaces)
    arms = len(study.arms)
    need = TRIALS_PER_DIMENSION * dimensions * arms
    if study.trials >= need:
        return None
    each = f" in each of {arms} arms" if arms > 1 else ""
    what = "hyperparameter" if dimensions == 1 else "hyperparameters"
    return Finding(
        "too-few-trials",
        Level.WARNING,
        f"{study.trials} trials are few for {dimensions} nuisance {what}{each}: about "
        f"{TRIALS_PER_DIMENSION} for each make {need}.",
        f"Plan {need} trials, or fix the hyperparameters that matter least.",
        {
            "dimensions": dimensions,
            "arms": arms,
            "trials": study.trials,
            "change": {"trials": need},
        },
    )


def _fixed_limits(study: Study) -> Finding | None:
    """D3: what is fixed limits the conclusion."""
    if not study.fixed or not study.scientific:
        return None
    shown = [f"{name}={_short(value)}" for name, value in study.fixed.items()]
    return Finding(
        "fixed-limits",
        Level.NOTICE,
        f"What this study says about {_listed(study.scientific)} will hold for "
        f"{_listed(shown)} only, since that is fixed.",
        "Say so with the conclusion.",
        {"fixed": dict(study.fixed)},
    )


def _cut_schedule(study: Study) -> Finding | None:
    """A15: a schedule that ends with the training is not to be judged half way."""
    own = study.scheduler
    name = own if isinstance(own, str) else type(own).__name__
    if study.max_steps is None or name.lower() in _UNCUT:
        return None
    given: dict[str, Iterable[Value]]
    given = {key: (value,) for key, value in study.fixed.items()}
    given |= {
        dimension.name: dimension.domain.options
        for dimension in study.search_space.dimensions
        if isinstance(dimension.domain, Choice)
    }
    found = [
        f"{key}={option}"
        for key in given
        if _is(key, _SCHEDULE)
        for option in given[key]
        if isinstance(option, str) and _is(option, _TO_THE_END)
    ]
    if not found:
        return None
    return Finding(
        "cut-schedule",
        Level.NOTICE,
        f"By its name {_listed(found)} has its end at step {study.max_steps:,}, and "
        f"{name} may give up trials before: those that gain most in the end.",
        "See in the report whether short runs tell who is best; compare later (with "
        "a larger min_steps), or take scheduler: full.",
        {"schedules": found},
    )


def _varied(study: Study) -> list[Dimension]:
    """The dimensions that have more than one value."""
    return [d for d in study.search_space.dimensions if not _single(d.domain)]


def _scientific(study: Study) -> list[Dimension]:
    """The dimensions whose effect the study is about."""
    return [d for d in _varied(study) if study.role(d.path) == "scientific"]


def _single(domain: Domain) -> bool:
    if isinstance(domain, Choice):
        return len(domain.options) == 1
    return domain.low == domain.high


def _nuisance_count(study: Study, space: SearchSpace) -> int:
    free = (d for d in space.dimensions if not _single(d.domain))
    return sum(study.role(dimension.path) == "nuisance" for dimension in free)


def _branch(dimension: Dimension) -> tuple[Any, Any]:
    return dimension.parent, dimension.option


def _is(name: str, *patterns: str) -> bool:
    """Whether a hyperparameter's name, in whatever spelling, fits one of `patterns`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    plain_name = re.sub(r"\W+", "_", spaced).lower().strip("_")
    return any(re.fullmatch(pattern, plain_name) for pattern in patterns)


def _paths(dimensions: Sequence[Dimension], *patterns: str) -> list[str]:
    return [d.path for d in dimensions if _is(d.name, *patterns)]


def _without(study: Study, paths: Sequence[str]) -> list[str]:
    return [path for path in study.scientific if path not in paths]


def _wide(domain: Float | Int) -> bool:
    """Whether a linear domain spans more than a decade above 0."""
    if domain.log or domain.low < 0:
        return False
    return domain.high > DECADE * domain.low


def _on_log(domain: Float | Int) -> dict[str, Any]:
    """What to change of a domain so that it is searched on a log scale."""
    if domain.low > 0:
        return {"log": True}
    if isinstance(domain, Int):
        return {"low": 1, "log": True}
    return {"low": domain.high / LOG_SPAN, "log": True}


def _log_advice(change: dict[str, Any]) -> str:
    lifted = [
        f"{path} from {fields['low']:g} up (a log scale has no 0)"
        for path, fields in change.items()
        if "low" in fields
    ]
    return _listed(lifted) if lifted else "log: true"


def _listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`, or the first few and how many more."""
    shown = list(words)
    if len(shown) > MOST_SHOWN:
        shown = [*shown[:MOST_SHOWN], f"{len(shown) - MOST_SHOWN} more"]
    return " and ".join(part for part in (", ".join(shown[:-1]), shown[-1]) if part)


def _subject(words: Sequence[str]) -> str:
    return f"{_listed(words)} {'is' if len(words) == 1 else 'are'}"


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
