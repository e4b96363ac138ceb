"""Whole networks: what is worth searching, in the order of how much it matters (D8).

The ranges are those of practice; a batch size is in none of them, since it is chosen
for speed and never tuned for validation error (D6).
"""

from __future__ import annotations

from ..domain import Belief, Choice, Float, Int
from ..space import SearchSpace
from .entry import Entry, affordable, space_of
from .optimizers import BETA1, MOMENTUM, SGD_RATE

DROPOUT = Entry(
    "dropout",
    Float(0.0, 0.7),
    "on a linear scale; 0.3 to 0.7 in practice, and 0 for none at all",
)
LABEL_SMOOTHING = Entry(
    "label_smoothing",
    Float(0.0, 0.2),
    "0.1 is usual (Szegedy et al., 2016), 0 is none at all",
)
WIDTH = Entry(
    "width",
    Int(16, 1024, log=True),
    "units of a hidden layer: too few show in the training loss, too many cost time",
)
LAYERS = Entry("layers", Int(1, 4), "from one hidden layer up: start simple")
EMBEDDING = Entry(
    "embedding",
    Choice([64, 128, 256, 512], ordered=True),
    "128 and 256 in practice, with half and double of them so that neither is an edge",
)

CNN = (
    SGD_RATE,
    Entry(
        "weight_decay",
        Float(1e-5, 1e-2, log=True, belief=Belief(5e-4)),
        "1e-4 to 1e-3 in practice, around 5e-4, with a decade more on both sides",
    ),
    MOMENTUM,
    LABEL_SMOOTHING,
    DROPOUT,
    Entry(
        "channels",
        Int(16, 256, log=True),
        "of the first stage; later stages double them",
    ),
)
MLP = (
    Entry(
        "lr",
        Float(1e-4, 1e-1, log=True),
        "the most important one; of Adam, for which small networks take more than 1e-3",
    ),
    Entry(
        "weight_decay",
        Float(1e-6, 1e-1, log=True),
        "how much a small network overfits differs by orders of magnitude",
    ),
    WIDTH,
    DROPOUT,
    LAYERS,
    BETA1,
)
RNN = (
    Entry(
        "lr",
        Float(1e-4, 1e-2, log=True),
        "the most important one; recurrent networks want a smaller one than others",
    ),
    Entry(
        "clip_norm",
        Choice([1, 5, 10, 15], ordered=True, belief=Belief(5)),
        "gradients explode in time: 5, 10 and 15 in practice, 1 so that 5 is no edge",
    ),
    DROPOUT,
    WIDTH,
    Entry(
        "weight_decay",
        Float(1e-7, 1e-3, log=True),
        "weights that are used at each step bear little of it",
    ),
    EMBEDDING,
    Entry("layers", Int(1, 3), "from one layer up: more are slow and rarely better"),
)
TRANSFORMER = (
    Entry(
        "lr",
        Float(1e-5, 1e-2, log=True),
        "the most important one; of AdamW: the wider the network, the smaller",
    ),
    Entry(
        "weight_decay",
        Float(1e-3, 1.0, log=True, belief=Belief(0.1)),
        "decoupled from the gradient; 0.1 is usual (Brown et al., 2020)",
    ),
    Entry(
        "warmup_fraction",
        Float(0.005, 0.1, log=True),
        "of the steps: Adam without warm-up is unstable here; more than 10 % is too "
        "long, and says that something else is wrong",
    ),
    Entry(
        "dropout",
        Float(0.0, 0.3),
        "on a linear scale; 0.1 is usual (Vaswani et al., 2017), 0 with much data",
    ),
    Entry(
        "one_minus_beta2",
        Float(1e-3, 0.1, log=True, belief=Belief(0.02)),
        "beta2 is 0.98 in Vaswani et al. (2017) and 0.95 in Brown et al. (2020)",
    ),
    BETA1,
    LABEL_SMOOTHING,
    Entry(
        "clip_norm",
        Float(0.1, 10.0, log=True, belief=Belief(1.0)),
        "1 is usual (Brown et al., 2020)",
    ),
)
TEXT_CLASSIFICATION = (
    Entry(
        "lr",
        Float(1e-4, 3e-2, log=True),
        "the most important one; of Adam, for embeddings trained from scratch",
    ),
    Entry(
        "dropout",
        Float(0.0, 0.8, belief=Belief(0.5)),
        "0.3 to 0.7 in practice, 0.5 in Kim (2014): few texts are soon known by heart",
    ),
    EMBEDDING,
    Entry(
        "weight_decay",
        Float(1e-6, 1e-1, log=True),
        "L2 reaches far in practice: what is too much is seen at once",
    ),
    Entry(
        "filters",
        Int(32, 512, log=True),
        "of each width of the convolutions: 100 in Kim (2014)",
    ),
    BETA1,
)


def mlp(trials: int | None = None) -> SearchSpace:
    """A network of fully connected layers, trained by Adam.

    >>> import danlu
    >>> list(danlu.presets.mlp(trials=30).domains)
    ['lr', 'weight_decay', 'width']

    Raises:
        StudyError: `trials` is not a whole number from 1.
    """
    return space_of(affordable(MLP, trials))


def cnn(trials: int | None = None) -> SearchSpace:
    """A convolutional network, trained by SGD with Nesterov momentum.

    >>> import danlu
    >>> list(danlu.presets.cnn(trials=30).domains)
    ['lr', 'weight_decay', 'one_minus_momentum']

    Raises:
        StudyError: `trials` is not a whole number from 1.
    """
    return space_of(affordable(CNN, trials))


def rnn(trials: int | None = None) -> SearchSpace:
    """A recurrent network, trained by Adam.

    >>> import danlu
    >>> list(danlu.presets.rnn(trials=30).domains)
    ['lr', 'clip_norm', 'dropout']

    Raises:
        StudyError: `trials` is not a whole number from 1.
    """
    return space_of(affordable(RNN, trials))


def transformer(trials: int | None = None) -> SearchSpace:
    """A transformer, trained from scratch by AdamW.

    >>> import danlu
    >>> list(danlu.presets.transformer(trials=30).domains)
    ['lr', 'weight_decay', 'warmup_fraction']

    Raises:
        StudyError: `trials` is not a whole number from 1.
    """
    return space_of(affordable(TRANSFORMER, trials))


def text_classification(trials: int | None = None) -> SearchSpace:
    """A convolutional network over word embeddings that sorts short texts, by Adam.

    >>> import danlu
    >>> list(danlu.presets.text_classification(trials=30).domains)
    ['lr', 'dropout', 'embedding']

    Raises:
        StudyError: `trials` is not a whole number from 1.
    """
    return space_of(affordable(TEXT_CLASSIFICATION, trials))
