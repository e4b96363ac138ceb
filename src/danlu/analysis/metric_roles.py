"""Which of the reported metrics is measured on training data, told by its name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

from ..metric import Metric
from ..trial import Trial

LEAST_SHARE = 0.5  # of the trials, that report a metric before it is looked at

_TRAINING = frozenset({"train", "training", "tr"})
_HELD_OUT = ("val", "valid", "validation", "dev", "eval", "test")
_LARGE_IS_GOOD = frozenset(
    {"acc", "accuracy", "top1", "top5", "auc", "auroc", "auprc", "f1", "precision"}
    | {"recall", "map", "ap", "iou", "miou", "dice", "bleu", "rouge", "r2", "score"}
    | {"reward", "return", "psnr", "ssim", "ndcg", "mrr"}
)


def is_training(name: str, names: Collection[str] = ()) -> bool:
    """Whether a metric is a training one: `train_loss`, or `loss` beside `val_loss`.

    >>> is_training("train/loss"), is_training("loss"), is_training("val_loss")
    (True, False, False)
    >>> is_training("loss", names=["loss", "val_loss"])
    True
    """
    if _TRAINING & set(_words(name)):
        return True
    rest = set(names) - {name}
    return not _held_out(name) and any(
        _held_out(other) and _what(other) == _what(name) for other in rest
    )


def maximized(name: str, known: Metric) -> bool:
    """Whether a metric of this name is better when large.

    What `known` measures on other data is as `known` says; otherwise the name tells, by
    a word such as `accuracy`. Any other metric is taken to be better when small.

    >>> import danlu
    >>> maximized("train_acc", danlu.Metric("val_loss"))
    True
    """
    if _what(name) == _what(known.name):
        return known.maximize
    return bool(_LARGE_IS_GOOD & set(_words(name)))


def training_metric(trials: Sequence[Trial], known: Metric) -> Metric | None:
    """The training metric that half of the trials report, None without one.

    A loss comes before others: an error may be zero while the loss still falls.

    >>> import danlu
    >>> curve = danlu.Curve.of({1: 0.5})
    >>> trial = danlu.Trial(0, {}, curves={"train_loss": curve, "val_error": curve})
    >>> training_metric([trial], danlu.Metric("val_error")).name
    'train_loss'
    """
    counts = Counter(name for trial in trials for name in trial.curves)
    least = max(1.0, LEAST_SHARE * len(trials))
    names = sorted(name for name, count in counts.items() if count >= least)
    own = [name for name in names if name != known.name and is_training(name, names)]
    order = sorted(own, key=lambda name: ("loss" not in _words(name), name))
    if not order:
        return None
    return Metric(order[0], maximize=maximized(order[0], known))


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]


def _held_out(name: str) -> bool:
    return any(word in _HELD_OUT for word in _words(name))


def _what(name: str) -> tuple[str, ...]:
    """What is measured, without the words that say on which data."""
    return tuple(w for w in _words(name) if w not in _TRAINING and w not in _HELD_OUT)
