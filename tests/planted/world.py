"""A study with known truth: sampled as danlu samples, trained by generators."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator, default_rng

from danlu import History, Metric, Study, recipes
from danlu.ask import trial_seed
from danlu.domain import Domain
from danlu.memory import arm_seed
from danlu.samplers.base import Sampler
from danlu.space import Array, Params, SearchSpace
from danlu.trial import Curve, Kind, State, Trial

from .course import Course, Faults, curves, schedule
from .surface import Cliff, Corner, Places, Term, Values, error, shortfall

SECONDS = 2.0  # of a step
# Metrics by name, from the error.
SHOWN: Mapping[str, Callable[[Array], Array]] = {
    "val_error": lambda error: error,
    "val_accuracy": lambda error: 1 - error,
    "val_accuracy_percent": lambda error: 100 * (1 - error),
    "val_loss": lambda error: 0.1 + 2.5 * error,
    "val_mse": lambda error: 2e6 * error,
    "val_log_likelihood": lambda error: -3 - 20 * error,
    "val_perplexity": lambda error: np.exp(3 + 3 * error),
}
BAD_SEED, BAD_BY = 0.01, 5.0  # one seed in a hundred is worse by five deviations


@dataclass(frozen=True)
class View:
    """A training as its faults see it: where it is, and how good without any fault."""

    places: Places
    values: Values
    q: float
    number: int
    rng: Generator


@dataclass(frozen=True)
class World:
    """A study to be drawn, and the truth behind it.

    `seed_sd` is the standard deviation of the final error between seeds of the same
    params. `band` is the width of the strip below a cliff in which trainings have
    spikes. `counts` are the trials of each arm where these are not equal. `broken` is
    the probability that a machine fails. With `rungs`, a trial goes on beyond one only
    if it is in the best share `kept` of those that came to it. `confirm` are the number
    of top trials that are run again and the number of seeds. `unfinished` trials still
    run. `with_others` reports metrics that say nothing of how good the params are.
    `dead` is the probability that a training learns nothing, whatever its params.
    """

    space: Mapping[str, Domain]
    terms: Sequence[Term]
    trials: int = 60
    scientific: Sequence[str] = ()
    metric: Metric = field(default_factory=lambda: Metric("val_error"))
    sampler: str = "quasi_random"
    floor: float = 0.05
    chance: float = 0.9
    seed_sd: float = 0.004
    course: Course = field(default_factory=Course)
    faults: Callable[[View], Faults] | None = None
    cliff: Cliff | Corner | None = None
    band: float = 0.0
    counts: Sequence[int] = ()
    broken: float = 0.0
    rungs: Sequence[int] = ()
    kept: float = 1 / 3
    confirm: tuple[int, int] = (0, 0)
    baseline: Params | None = None
    unfinished: int = 0
    with_train_loss: bool = True
    with_others: bool = False
    dead: float = 0.0

    def drawn(self, rng: Generator) -> tuple[Study, History]:
        """The study, and its history when all its trials have been run."""
        study = _study(self, int(rng.integers(2**31)))
        trials: list[Trial] = []
        sampler = recipes.sampler(self.sampler)
        for arm in _turns(self, study, rng):
            trials.append(_search_trial(self, study, sampler, arm, trials))
        trials = _with_open_ends(self, trials, rng)
        trials += _repeated(self, study, trials)
        history = History(
            study.search_space,
            study.objective,
            trials,
            seed=arm_seed(study.seed, 0),
            position=self.trials,
            max_steps=study.max_steps,
            planned=self.trials,
        )
        return study, history

    def truth(self, params: Params) -> float:
        """The error that params end at without faults, on average; nan if diverging."""
        places, values = _located(SearchSpace(self.space), params)
        if self.cliff is not None and self.cliff.excess(places) > 0:
            return math.nan
        return error(shortfall(self.terms, places, values), self.floor, self.chance)


def _study(world: World, seed: int) -> Study:
    return Study(
        name="planted",
        goal="Which params are best?",
        metric=world.metric,
        space=dict(world.space),
        trials=world.trials,
        scientific=world.scientific,
        sampler=world.sampler,
        scheduler="asha_stop" if world.rungs else "full",
        max_steps=world.course.reports * world.course.every,
        baseline=world.baseline,
        seed=seed,
    )


def _turns(world: World, study: Study, rng: Generator) -> Sequence[int]:
    """The arm of each trial in turn."""
    if not world.counts:
        return [number % len(study.arms) for number in range(world.trials)]
    turns = np.repeat(np.arange(len(study.arms)), world.counts)
    return [int(arm) for arm in rng.permutation(turns)]


def _search_trial(
    world: World, study: Study, sampler: Sampler, arm: int, trials: Sequence[Trial]
) -> Trial:
    """The next trial of an arm, run to its end."""
    number = len(trials)
    own = [trial for trial in trials if trial.sampler_note.get("arm") == arm]
    history = History(
        study.arm_spaces[arm],
        study.objective,
        own,
        seed=arm_seed(study.seed, arm),
        position=len(own),
        max_steps=study.max_steps,
    )
    suggestion = sampler.ask(history, default_rng([study.seed, number]))
    assert suggestion is not None
    params = study.search_space.admit(suggestion.params)
    note = {**suggestion.note, "arm": arm}
    trial = Trial(number, params, index=number, sampler_note=note)
    return _stopped(world, trained(world, study, trial), trials)


def trained(world: World, study: Study, trial: Trial) -> Trial:
    """The trial as it is after a training in full."""
    seed = trial_seed(study, trial.kind, trial.number)
    rng = default_rng([study.seed, seed])
    steps = world.course.reports * world.course.every
    begun = replace(
        trial, seed=seed, budget=steps, started_s=1e9 + SECONDS * steps * trial.number
    )
    if rng.random() < world.broken:
        return _ended(begun, State.FAILED, "failed: exit status 1", {})
    places, values = _located(study.search_space, trial.params)
    q = shortfall(world.terms, places, values)
    faults = _faults(world, View(places, values, q, trial.number, rng))
    end = error(q, world.floor, world.chance) + world.seed_sd * _luck(rng)
    end = min(max(end, 0.0), world.chance)
    if rng.random() < world.dead:
        end = world.chance - 0.005
    ends = (world.chance, end)
    found = curves(world.course, faults, ends, rng, order=study.seed)
    if world.cliff is not None and rng.random() < world.cliff.chance(places):
        return _diverged(world, begun, found, rng)
    return _ended(begun, State.COMPLETED, "", _reported(world, found))


def _luck(rng: Generator) -> float:
    """What the seed adds, in standard deviations: normal, but for rare bad ones."""
    bad = BAD_BY if rng.random() < BAD_SEED else 0.0
    return float(rng.normal()) + bad


def _faults(world: World, view: View) -> Faults:
    own = Faults() if world.faults is None else world.faults(view)
    if world.cliff is None or not world.band:
        return own
    excess = world.cliff.excess(view.places)
    near = excess > -world.band
    return replace(own, spikes=0.15, extra_sd=0.02) if near else own


def _diverged(
    world: World, trial: Trial, found: Mapping[str, Array], rng: Generator
) -> Trial:
    """A trial over the cliff: it becomes nan on the way, or is killed at the start."""
    assert world.cliff is not None
    if world.cliff.reason:
        return _ended(trial, State.INFEASIBLE, world.cliff.reason, {})
    count = 1 + int(rng.integers(max(1, world.course.reports // 2)))
    up = np.linspace(0, 1, count) ** 2
    broken = {
        "val_error": found["val_error"][:count]
        + up * (world.chance - found["val_error"][:count]),
        "train_loss": found["train_loss"][:count] * (1 + 3 * up),
    }
    for values in broken.values():
        values[-1] = math.nan
    reported = _reported(world, broken)
    step = (count - 1 + world.course.first) * world.course.every
    reason = f"diverged: {world.metric.name} is nan at step {step}"
    return _ended(trial, State.INFEASIBLE, reason, reported)


def _reported(world: World, found: Mapping[str, Array]) -> dict[str, Curve]:
    """The curves under the names that the training program uses."""
    course, name = world.course, world.metric.name
    values = SHOWN[name](found["val_error"])
    count = _length(values if not world.metric.maximize else -values, course.patience)
    steps = course.every * np.arange(course.first, course.first + len(values))
    at = slice(course.sparse - 1, count, course.sparse)
    reported = {name: Curve(steps[at], values[at])}
    if world.with_train_loss:
        reported["train_loss"] = Curve(steps[:count], found["train_loss"][:count])
    if world.with_others:
        rate = schedule(course.schedule, np.arange(1, count + 1) / count)
        reported["lr"] = Curve(steps[:count], 0.1 * rate)
        reported["epoch_s"] = Curve(
            steps[:count], 2 + 0.1 * found["train_loss"][:count]
        )
    return reported


def _length(losses: Array, patience: int | None) -> int:
    """The number of reports until a program of that patience ends."""
    if patience is None:
        return len(losses)
    for count in range(patience + 1, len(losses)):
        if np.argmin(losses[:count]) < count - patience:
            return count
    return len(losses)


def _ended(
    trial: Trial, state: State, reason: str, reported: Mapping[str, Curve]
) -> Trial:
    last = max((int(curve.steps[-1]) for curve in reported.values()), default=1)
    assert trial.started_s is not None
    return replace(
        trial,
        state=state,
        reason=reason,
        curves=dict(reported),
        failures=2 if state is State.FAILED else 0,
        ended_s=trial.started_s + SECONDS * last,
    )


def _located(space: SearchSpace, params: Params) -> tuple[dict[str, float], Values]:
    """Where params are in the cube, by active path, and their values by path."""
    values = space.by_path(params)
    return {
        dimension.path: dimension.domain.encode(values[dimension.path])  # type: ignore[arg-type]
        for dimension in space.dimensions
        if dimension.path in values
    }, values


def _stopped(world: World, trial: Trial, before: Sequence[Trial]) -> Trial:
    """The trial as asynchronous successive halving leaves it (Li et al., 2020)."""
    if trial.state is not State.COMPLETED:
        return trial
    for rung in world.rungs:
        others = [
            world.metric.loss(own.curves[world.metric.name].until(rung))
            for own in before
            if own.step >= rung and own.curves
        ]
        known = [loss for loss in others if loss is not None]
        own = world.metric.loss(trial.curves[world.metric.name].until(rung))
        assert own is not None
        if sum(loss < own for loss in known) >= (len(known) + 1) * world.kept:
            cut = {name: curve.until(rung) for name, curve in trial.curves.items()}
            reason = f"stopped early by ashastop at step {rung}"
            return _ended(trial, State.STOPPED, reason, cut)
    return trial


def _with_open_ends(
    world: World, trials: Sequence[Trial], rng: Generator
) -> list[Trial]:
    """The trials, the last ones of which still run."""
    kept = list(trials[: len(trials) - world.unfinished])
    for trial in trials[len(kept) :]:
        until = int(rng.integers(1, world.course.reports)) * world.course.every
        cut = {name: curve.until(until) for name, curve in trial.curves.items()}
        running = replace(
            trial, state=State.RUNNING, curves=cut, reason="", ended_s=None
        )
        kept.append(running)
    return kept


def _repeated(world: World, study: Study, trials: Sequence[Trial]) -> list[Trial]:
    """The baseline, and the best trials and the baseline again on fresh seeds."""
    top, seeds = world.confirm
    history = History(study.search_space, study.objective, trials)
    wanted = [(Kind.BASELINE, world.baseline)] if world.baseline else []
    again = [trial.params for trial in history.ranked()[:top]]
    again += [world.baseline] if world.baseline and seeds else []
    wanted += [(Kind.CONFIRM, params) for params in again for _ in range(seeds)]
    return [
        trained(world, study, Trial(len(trials) + place, params, kind=kind))
        for place, (kind, params) in enumerate(wanted)
        if params is not None
    ]
