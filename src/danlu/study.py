"""One question: goal, space, roles, metric, who chooses, how much.

A study is a frozen statement. What follows from it (its arms, the roles of its
hyperparameters) is derived here; what happened to it is in its `History`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from .constraint import Constraint, parsed
from .domain import Choice, Domain, Float, Int
from .errors import StudyError, did_you_mean
from .guard import limit_of
from .jsontext import is_writable, shown
from .metric import Metric
from .samplers.base import Sampler
from .schedulers.base import Scheduler
from .space import Params, SearchSpace
from .value import Value, plain

MAX_NAME = 100  # characters; names become folders and rows of a table
TRIALS_PER_ARM = 4  # with fewer trials an arm says nothing: playbook rule D5
MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class Study:
    """One round of tuning: a question, and all that is needed to answer it.

    `metric` is a `Metric`, or the name of a number to make small. `space` maps names to
    domains. `scientific` lists the hyperparameters (by path) whose effect is measured;
    all others in the space are nuisance: optimized over so that the comparison is fair.
    `fixed` is handed to every trial unchanged. `baseline` are params to compare with,
    run once beside the search trials, of which there are `trials` in total. `max_steps`
    is the length of a full training in steps, None if only the program knows it.
    `sampler` and `scheduler` are objects or names. A trial that breaks one of the
    `constraints` (such as `latency_ms <= 20`) ends as infeasible. `learn_from` names
    earlier studies of the same project, of the same metric, whose trials samplers may
    learn from. `guards` (such as `test_error <= baseline + 0.005`) must be kept by what
    is adopted: `decide` looks at them.

    >>> import danlu
    >>> study = danlu.Study(
    ...     name="optimizers",
    ...     goal="Is Adam better than SGD on digits?",
    ...     metric="val_error",
    ...     space={"optimizer": danlu.Choice(["adam", "sgd"]),
    ...            "lr": danlu.Float(1e-4, 1.0, log=True)},
    ...     scientific=["optimizer"],
    ...     trials=32,
    ... )
    >>> study.arms
    ({'optimizer': 'adam'}, {'optimizer': 'sgd'})

    Raises:
        StudyError: a field has an impossible value or contradicts another.
        SpaceError: the search space is faulty.
    """

    name: str
    goal: str
    metric: Metric | str
    space: SearchSpace | Mapping[str, Domain]
    trials: int
    scientific: Sequence[str] = ()
    fixed: Params = field(default_factory=dict)
    baseline: Params | None = None
    sampler: Sampler | str = "auto"
    scheduler: Scheduler | str = "full"
    max_steps: int | None = None
    seed: int = 0
    note: str = ""
    constraints: Sequence[Constraint | str] = ()
    learn_from: Sequence[str] = ()
    guards: Sequence[str] = ()

    def __post_init__(self) -> None:
        _check_name(self.name)
        if not isinstance(self.goal, str) or not self.goal.strip():
            raise StudyError(
                f"study {self.name!r} needs a goal: the one question that it answers, "
                "in one sentence"
            )
        for field_name in ("goal", "note"):
            _check_text(field_name, getattr(self, field_name))
        _check_count("trials", self.trials)
        if self.max_steps is not None:
            _check_count("max_steps", self.max_steps)
        if type(self.seed) is not int or not 0 <= self.seed <= MAX_SEED:
            raise StudyError(f"a seed is a whole number from 0, got {self.seed!r}")
        object.__setattr__(self, "metric", _metric(self.metric))
        object.__setattr__(self, "space", _joined(self.space, self.fixed))
        object.__setattr__(self, "fixed", self.search_space.fixed)
        object.__setattr__(self, "scientific", _scientific(self))
        if self.baseline is not None:
            baseline = _params("baseline", self.baseline)
            object.__setattr__(self, "baseline", {**self.fixed, **baseline})
        object.__setattr__(self, "constraints", _constraints(self.constraints))
        object.__setattr__(self, "learn_from", _learn_from(self))
        object.__setattr__(self, "guards", _guards(self.guards))

    @property
    def search_space(self) -> SearchSpace:
        """The space, always as a `SearchSpace`."""
        return self.space  # type: ignore[return-value]  # made one in __post_init__

    @property
    def objective(self) -> Metric:
        """The metric, always as a `Metric`."""
        return self.metric  # type: ignore[return-value]  # made one in __post_init__

    @property
    def limits(self) -> tuple[Constraint, ...]:
        """The constraints, always as `Constraint`s."""
        return self.constraints  # type: ignore[return-value]  # made so in __post_init__

    @cached_property
    def arms(self) -> tuple[Params, ...]:
        """What each arm holds its scientific hyperparameters at, by path.

        One arm with nothing held (`{}`) where there is nothing scientific, where a
        scientific hyperparameter is continuous, or where each of the combinations would
        get fewer than 4 trials: then one sequence covers all of them evenly (rule D5).
        """
        arms: list[dict[str, Value]] = [{}]
        for path in self.scientific:
            values = _values(_dimensions(self.search_space)[path], self.trials)
            if values is None:
                return ({},)
            arms = list(
                chain.from_iterable(self._split(arm, path, values) for arm in arms)
            )
            if len(arms) * TRIALS_PER_ARM > self.trials:
                return ({},)
        return tuple(arms)

    @cached_property
    def arm_spaces(self) -> tuple[SearchSpace, ...]:
        """The search space of each arm, in the order of `arms`."""
        return tuple(self.search_space.pin(arm) for arm in self.arms)

    def arm_of(self, params: Params) -> int | None:
        """The place in `arms` of the arm that `params` belong to, None if to none."""
        for place, space in enumerate(self.arm_spaces):
            if params in space:
                return place
        return None

    def role(self, path: str) -> str:
        """`scientific` or `nuisance`: the role of a hyperparameter of the space."""
        return "scientific" if path in self.scientific else "nuisance"

    def _split(
        self, arm: Mapping[str, Value], path: str, values: Iterable[Value]
    ) -> Iterable[dict[str, Value]]:
        free = {dimension.path for dimension in self.search_space.pin(arm).dimensions}
        if path not in free:  # belongs to an option that this arm does not take
            return [dict(arm)]
        return [{**arm, path: value} for value in values]


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise StudyError(f"a study needs a name, got {name!r}")
    if len(name) > MAX_NAME:
        raise StudyError(
            f"a study's name has at most {MAX_NAME} characters, got {len(name)}: "
            "say more in the goal"
        )
    if not name.isprintable():
        raise StudyError(f"a study's name is printable text, got {name!r}")


def _check_text(field_name: str, text: object) -> None:
    if not isinstance(text, str) or not is_writable(text):
        raise StudyError(f"{field_name} is text in valid Unicode, got {shown(text)}")


def _check_count(field_name: str, count: object) -> None:
    if type(count) is not int or not 1 <= count <= MAX_SEED:
        raise StudyError(f"{field_name} is a whole number from 1, got {count!r}")


def _params(field_name: str, params: object) -> Params:
    """Params as they are kept, in or out of the space."""
    if not isinstance(params, Mapping):
        raise StudyError(
            f"{field_name} is a dict of name to value, got {shown(params)}"
        )
    return {name: plain(value) for name, value in params.items()}


def _metric(metric: object) -> Metric:
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, str):
        return Metric(metric)
    raise StudyError(f"metric is a Metric or the name of one, got {metric!r}")


def _constraints(constraints: object) -> tuple[Constraint, ...]:
    if isinstance(constraints, str):
        raise StudyError(f"constraints is a list: write [{constraints!r}]")
    if not isinstance(constraints, Sequence):
        raise StudyError(f"constraints is a list, got {shown(constraints)}")
    own = tuple(c if isinstance(c, Constraint) else parsed(c) for c in constraints)
    for place, constraint in enumerate(own):
        if constraint in own[:place]:
            raise StudyError(f"the constraint {str(constraint)!r} stands twice")
    return own


def _guards(guards: object) -> tuple[str, ...]:
    if isinstance(guards, str):
        raise StudyError(f"guards is a list: write [{guards!r}]")
    if not isinstance(guards, Sequence):
        raise StudyError(f"guards is a list, got {shown(guards)}")
    limits = [limit_of(text) for text in guards]
    for place, limit in enumerate(limits):
        if limit in limits[:place]:
            raise StudyError(f"the guard {guards[place]!r} stands twice")
    return tuple(guards)


def _learn_from(study: Study) -> tuple[str, ...]:
    names = study.learn_from
    if isinstance(names, str):
        raise StudyError(f"learn_from is a list of studies: write [{names!r}]")
    if not isinstance(names, Sequence):
        raise StudyError(f"learn_from is a list of studies, got {shown(names)}")
    for place, name in enumerate(names):
        _check_name(name)
        if name == study.name:
            raise StudyError(f"study {name!r} cannot learn from itself")
        if name in names[:place]:
            raise StudyError(f"learn_from names study {name!r} twice")
    return tuple(names)


def _joined(space: SearchSpace | Mapping[str, Domain], fixed: Params) -> SearchSpace:
    fixed = _params("fixed", fixed)
    if isinstance(space, SearchSpace):
        return SearchSpace(space.domains, {**space.fixed, **fixed}, space.pinned)
    if isinstance(space, Mapping):
        return SearchSpace(space, fixed)
    raise StudyError(f"space is a dict of name to domain, got {space!r}")


def _dimensions(space: SearchSpace) -> dict[str, Domain]:
    return {dimension.path: dimension.domain for dimension in space.dimensions}


def _scientific(study: Study) -> tuple[str, ...]:
    """The scientific paths in the order of the space, so that parents come first."""
    if isinstance(study.scientific, str):
        raise StudyError(f"scientific is a list of names: write [{study.scientific!r}]")
    known = _dimensions(study.search_space)
    for path in study.scientific:
        if path not in known:
            hint = did_you_mean(str(path), known)
            raise StudyError(f"scientific names {path!r}, not in the space: {hint}")
    return tuple(path for path in known if path in study.scientific)


def _values(domain: Domain, most: int) -> Sequence[Value] | None:
    """Every value of a domain, None when it has more than `most`."""
    if isinstance(domain, Float):
        return [domain.low] if domain.low == domain.high else None
    if isinstance(domain, Int):
        count = domain.high - domain.low + 1
        return range(domain.low, domain.high + 1) if count <= most else None
    return tuple(domain.options) if isinstance(domain, Choice) else None
