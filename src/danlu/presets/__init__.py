"""Search spaces known from practice, each with its reasons (playbook D7, D8).

A preset is a plain `SearchSpace` to start from. With `trials`, it holds as many
hyperparameters as that many trials can cover, the most important ones first:

    space = {**presets.cnn(trials=40).domains, "depth": danlu.Int(2, 8)}
"""

from __future__ import annotations

from .entry import Preset
from .known import names, preset, why
from .networks import cnn, mlp, rnn, text_classification, transformer
from .optimizers import adam, adamw, nadam, nesterov

__all__ = [  # noqa: RUF022  # optimizers first, then whole networks
    "adam",
    "adamw",
    "nadam",
    "nesterov",
    "mlp",
    "cnn",
    "rnn",
    "transformer",
    "text_classification",
    "Preset",
    "preset",
    "names",
    "why",
]
