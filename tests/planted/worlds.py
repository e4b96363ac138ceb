"""Healthy worlds: studies as deep learning has them, each time with another truth.

The best place of every hyperparameter is well inside its range, nothing diverges, and
trainings settle. Few hyperparameters matter much (Bergstra & Bengio, 2012).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.random import Generator

from danlu import Choice, Float, Int

from .course import Course
from .surface import Bowl, Offset, Valley
from .world import World


def inside(rng: Generator) -> float:
    """A place well inside of a range."""
    return float(rng.uniform(0.35, 0.65))


def settling(rng: Generator, **changes: Any) -> Course:
    """A constant learning rate, settled before the end, read on 5,000 examples."""
    course = Course(
        reports=int(rng.integers(30, 60)),
        settled=float(rng.uniform(0.8, 0.9)),
        step_sd=float(rng.uniform(0.002, 0.004)),
        examples=5000,
    )
    return replace(course, **changes)


def rate_alone(rng: Generator, **changes: Any) -> World:
    """The learning rate is all that varies."""
    world = World(
        space={"lr": Float(1e-5, 1e-1, log=True)},
        terms=(Bowl("lr", inside(rng), rng.uniform(3, 6), above=2),),
        trials=30,
        course=settling(rng),
    )
    return replace(world, **changes)


def rate_and_decay(rng: Generator, **changes: Any) -> World:
    """Learning rate and weight decay: two dimensions, both of which matter."""
    world = World(
        space={
            "lr": Float(1e-4, 1.0, log=True),
            "weight_decay": Float(1e-6, 1e-2, log=True),
        },
        terms=(
            Bowl("lr", inside(rng), rng.uniform(3, 6), above=2),
            Bowl("weight_decay", inside(rng), rng.uniform(1, 2)),
        ),
        trials=50,
        course=settling(rng),
    )
    return replace(world, **changes)


def momentum(rng: Generator, **changes: Any) -> World:
    """SGD with momentum, weight decay and dropout: four dimensions."""
    world = World(
        space={
            "lr": Float(1e-4, 1.0, log=True),
            "one_minus_momentum": Float(0.01, 0.5, log=True),
            "weight_decay": Float(1e-6, 1e-2, log=True),
            "dropout": Float(0.0, 0.6),
        },
        terms=(
            Bowl("lr", inside(rng), rng.uniform(3, 6), above=2),
            Bowl("one_minus_momentum", inside(rng), rng.uniform(0.5, 1.0)),
            Bowl("weight_decay", inside(rng), rng.uniform(0.5, 1.0)),
            Bowl("dropout", inside(rng), rng.uniform(0.5, 1.0)),
        ),
        trials=80,
        course=settling(rng),
    )
    return replace(world, **changes)


def convolutional(rng: Generator, **changes: Any) -> World:
    """A network's shape beside its learning rate: whole numbers and choices."""
    world = World(
        space={
            "lr": Float(1e-4, 1e-1, log=True),
            "width": Int(16, 512, log=True),
            "layers": Int(1, 9),
            "batch_size": Choice([32, 64, 128, 256, 512], ordered=True),
            "activation": Choice(["relu", "gelu", "tanh"]),
        },
        terms=(
            Bowl("lr", inside(rng), rng.uniform(3, 5), above=2),
            Bowl("width", inside(rng), rng.uniform(0.8, 1.5)),
            Bowl("layers", inside(rng), rng.uniform(0.8, 1.5)),
            Bowl("batch_size", inside(rng), rng.uniform(0.3, 0.8)),
            Offset("activation", "tanh", 0.05),
        ),
        trials=80,
        course=settling(rng),
    )
    return replace(world, **changes)


def coupled(rng: Generator, **changes: Any) -> World:
    """Learning rate and momentum make up for each other, along a valley."""
    world = World(
        space={
            "lr": Float(1e-4, 1.0, log=True),
            "one_minus_momentum": Float(0.01, 0.5, log=True),
            "dropout": Float(0.0, 0.6),
        },
        terms=(
            Valley("lr", "one_minus_momentum", rng.uniform(-0.1, 0.1), 5.0, share=-1.0),
            Bowl("lr", 0.5, 0.7),
            Bowl("dropout", inside(rng), rng.uniform(0.5, 1.0)),
        ),
        trials=80,
        course=settling(rng),
    )
    return replace(world, **changes)


def optimizers(rng: Generator, better: float = 0.0, **changes: Any) -> World:
    """Two optimizers, each with a learning rate of its own; Adam better by `better`.

    SGD has momentum beside it, so that the arms have one and two dimensions.
    """
    world = World(
        space={
            "optimizer": Choice(
                {
                    "adam": {"lr": Float(1e-5, 1e-1, log=True)},
                    "sgd": {
                        "lr": Float(1e-3, 10.0, log=True),
                        "one_minus_momentum": Float(0.01, 0.5, log=True),
                    },
                }
            ),
            "dropout": Float(0.0, 0.6),
        },
        scientific=["optimizer"],
        terms=(
            Offset("optimizer", "sgd", better),
            Bowl("optimizer=adam/lr", inside(rng), rng.uniform(3, 5), above=2),
            Bowl("optimizer=sgd/lr", inside(rng), rng.uniform(3, 5), above=2),
            Bowl("optimizer=sgd/one_minus_momentum", inside(rng), 0.3),
            Bowl("dropout", inside(rng), rng.uniform(0.3, 0.6)),
        ),
        trials=80,
        course=settling(rng),
    )
    return replace(world, **changes)


def activations(rng: Generator, losses: tuple[float, ...], **changes: Any) -> World:
    """Activations compared, one arm each; `losses` is what each costs of q."""
    names = ["relu", "gelu", "tanh", "silu", "elu", "mish"][: len(losses)]
    world = World(
        space={
            "activation": Choice(names),
            "lr": Float(1e-4, 1.0, log=True),
            "weight_decay": Float(1e-6, 1e-2, log=True),
        },
        scientific=["activation"],
        terms=(
            *(
                Offset("activation", name, loss)
                for name, loss in zip(names, losses, strict=True)
            ),
            Bowl("lr", inside(rng), rng.uniform(3, 5), above=2),
            Bowl("weight_decay", inside(rng), rng.uniform(0.5, 1.0)),
        ),
        trials=30 * len(losses),
        course=settling(rng),
    )
    return replace(world, **changes)
