"""An optimizer from params: the right rule, with the right groups.

The names say what weight decay is: in `sgd`, `nesterov`, `adam`, `nadam` and `rmsprop`
it is L2 regularization, which goes through momentum and scaling; in those that end in
`w`, and in `muon`, it is decoupled from the gradient (Loshchilov & Hutter, 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.optim import Optimizer

from .groups import decay_groups, embedded
from .joined import Joined
from .schedules.base import at_least_zero
from .sgdw import SGDW
from .spelling import check_spelling

Groups: TypeAlias = list[dict[str, Any]]

MOMENTUM = 0.9
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Kingma & Ba (2015), Algorithm 1
SMOOTHING = 0.99  # of RMSprop in torch
MUON_MOMENTUM = 0.95  # Jordan et al. (2024)

_COMMON = {"optimizer", "lr", "weight_decay"}
_MOMENTUM = {*_COMMON, "momentum"}
_ADAM = {*_COMMON, "beta1", "beta2", "epsilon"}
_SETTINGS: Mapping[str, set[str]] = {
    "sgd": _MOMENTUM,
    "nesterov": _MOMENTUM,
    "sgdw": _MOMENTUM,
    "nesterovw": _MOMENTUM,
    "adam": _ADAM,
    "adamw": _ADAM,
    "nadam": _ADAM,
    "nadamw": _ADAM,
    "rmsprop": {*_MOMENTUM, "alpha", "epsilon"},
    "muon": {*_MOMENTUM, "beta1", "beta2", "epsilon"},
}
_KNOWN = set().union(*_SETTINGS.values())
_COMPLEMENT = "one_minus_"  # as decays are searched: 1 - beta on a log scale
_OTHER_NAMES = {  # what the same is called elsewhere
    "eps": "epsilon",
    "learning_rate": "lr",
    "wd": "weight_decay",
    "betas": "beta1",
}
_COMPLEMENTED = {"momentum", "beta1", "beta2", "alpha"}
_NAMES = [*_KNOWN, *(f"{_COMPLEMENT}{name}" for name in _COMPLEMENTED)]
# What a group states itself, and by what it says how much of the params' it gets.
_STATED = {"lr": "lr_factor", "weight_decay": "weight_decay_factor"}


def build_optimizer(model: nn.Module | Groups, params: Mapping[str, Any]) -> Optimizer:
    """The optimizer that a trial's params describe, for a model or for groups of it.

    `optimizer` is its name (`adamw` without one), `lr` is required. `weight_decay`,
    `momentum`, `beta1`, `beta2`, `epsilon` and `alpha` are used where the optimizer has
    them; `one_minus_momentum` and the like are read too. Other names are not its
    business. Biases and norms do not decay.

    >>> from torch import nn
    >>> from danlu import training
    >>> model = nn.Linear(4, 2)
    >>> optimizer = training.build_optimizer(
    ...     model, {"optimizer": "adamw", "lr": 0.01, "one_minus_beta1": 0.05,
    ...             "weight_decay": 0.1, "width": 64})
    >>> [(group["betas"], group["weight_decay"]) for group in optimizer.param_groups]
    [((0.95, 0.999), 0.1), ((0.95, 0.999), 0.0)]

    Raises:
        ValueError: the optimizer is unknown or has no such setting, `lr` is missing, a
            rate or a decay is negative or no number, a name looks like a setting that
            is misspelled, or a group states a rate or a decay without its factor.
    """
    name, settings = _read(params)
    if name == "muon":
        return _muon(model, settings)
    groups = decay_groups(model) if isinstance(model, nn.Module) else list(model)
    if not all(isinstance(group, Mapping) for group in groups):
        raise ValueError(
            "build_optimizer needs the model, or groups as decay_groups(model) gives "
            f"them, got {type(model).__name__} of {type(groups[0]).__name__}: names "
            "and norms say what does not decay"
        )
    return _BUILDERS[name]([_given(group, settings) for group in groups], settings)


def _given(group: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The group with its own rate and decay."""
    for stated, factor in _STATED.items():
        if stated in group and factor not in group:
            raise ValueError(
                f"a group states {stated}={group[stated]}, and build_optimizer would "
                f"give it that of the params: give the group its `{factor}`, by which "
                "that is multiplied"
            )
    lr = settings["lr"] * group.get("lr_factor", 1.0)
    decay = settings["weight_decay"] * group.get("weight_decay_factor", 1.0)
    at_least_zero("build_optimizer", lr=lr, weight_decay=decay)
    return {**group, "lr": lr, "weight_decay": decay}


def _read(params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The optimizer's name, and its settings with `one_minus_` taken away."""
    name = str(params.get("optimizer", "adamw"))
    if name not in _SETTINGS:
        raise ValueError(
            f"build_optimizer knows no optimizer {name!r}: use one of "
            f"{', '.join(_SETTINGS)}"
        )
    settings: dict[str, Any] = {}
    for key, value in params.items():
        plain = key.removeprefix(_COMPLEMENT)
        if key not in _KNOWN and plain not in _COMPLEMENTED:
            check_spelling(key, _NAMES, _OTHER_NAMES)
            continue
        if plain not in _SETTINGS[name]:
            raise ValueError(
                f"{name} has no {plain}, and params has {key}={value!r}: make it "
                "conditional on the optimizers that have it"
            )
        if plain in settings:
            raise ValueError(f"params has both {plain} and {_COMPLEMENT}{plain}")
        settings[plain] = value if key == plain else 1 - value
    if "lr" not in settings:
        raise ValueError(f"build_optimizer needs params with `lr`, got {dict(params)}")
    rates = {name: float(settings.get(name, 0.0)) for name in _STATED}
    at_least_zero("build_optimizer", **rates)
    return name, settings | rates


def _betas(settings: Mapping[str, Any]) -> tuple[float, float]:
    return settings.get("beta1", BETA1), settings.get("beta2", BETA2)


def _adam(rule: Any, **fixed: Any) -> Callable[[Groups, Mapping[str, Any]], Optimizer]:
    def build(groups: Groups, settings: Mapping[str, Any]) -> Optimizer:
        eps = settings.get("epsilon", EPSILON)
        return rule(groups, betas=_betas(settings), eps=eps, **fixed)

    return build


def _sgd(rule: Any, *, nesterov: bool) -> Callable[..., Optimizer]:
    def build(groups: Groups, settings: Mapping[str, Any]) -> Optimizer:
        momentum = settings.get("momentum", MOMENTUM)
        return rule(groups, momentum=momentum, nesterov=nesterov)

    return build


def _rmsprop(groups: Groups, settings: Mapping[str, Any]) -> Optimizer:
    return torch.optim.RMSprop(
        groups,
        alpha=settings.get("alpha", SMOOTHING),
        momentum=settings.get("momentum", 0.0),
        eps=settings.get("epsilon", EPSILON),
    )


_BUILDERS: Mapping[str, Callable[..., Optimizer]] = {
    "sgd": _sgd(torch.optim.SGD, nesterov=False),
    "nesterov": _sgd(torch.optim.SGD, nesterov=True),
    "sgdw": _sgd(SGDW, nesterov=False),
    "nesterovw": _sgd(SGDW, nesterov=True),
    "adam": _adam(torch.optim.Adam),
    "adamw": _adam(torch.optim.AdamW),
    "nadam": _adam(torch.optim.NAdam),
    "nadamw": _adam(torch.optim.NAdam, decoupled_weight_decay=True),
    "rmsprop": _rmsprop,
}


def _muon(model: nn.Module | Groups, settings: Mapping[str, Any]) -> Optimizer:
    """Muon for hidden matrices, AdamW for the rest (Jordan et al., 2024), one rate.

    Updates are scaled to the size of AdamW's, so that rate and decay serve for both.
    """
    if not hasattr(torch.optim, "Muon"):
        raise ValueError(f"muon needs torch 2.9 or later, this is {torch.__version__}")
    if not isinstance(model, nn.Module):
        raise ValueError("muon needs the model: groups do not say what is embedding")
    matrices = _hidden_matrices(model)
    if not matrices:
        raise ValueError("muon found no hidden matrix in the model: use adamw")
    lr, decay = settings["lr"], settings["weight_decay"]
    held = {id(parameter) for parameter in matrices}
    hidden = {"params": matrices, "lr_factor": 1.0, "weight_decay_factor": 1.0}
    first = torch.optim.Muon(
        [hidden],
        lr=lr,
        weight_decay=decay,
        momentum=settings.get("momentum", MUON_MOMENTUM),
        adjust_lr_fn="match_rms_adamw",
    )
    rest = []
    for group in decay_groups(model):
        others = [p for p in group["params"] if id(p) not in held]
        own = decay * group["weight_decay_factor"]
        if others:
            rest.append({**group, "params": others, "weight_decay": own})
    eps = settings.get("epsilon", EPSILON)
    second = torch.optim.AdamW(rest, lr=lr, betas=_betas(settings), eps=eps)
    return Joined([first, second] if rest else [first])


def _hidden_matrices(model: nn.Module) -> list[nn.Parameter]:
    """Matrices that are trained, but for embeddings and the one of the outputs.

    That is the one that was made last, also if it is frozen, unless the outputs share
    an embedding's.
    """
    tables = embedded(model)
    elsewhere = {
        id(parameter)
        for inner in model.modules()
        if not isinstance(inner, nn.Embedding | nn.EmbeddingBag)
        for parameter in inner.parameters(recurse=False)
    }
    every = (p for p in model.parameters() if p.ndim == 2)
    matrices = [parameter for parameter in every if id(parameter) not in tables]
    is_tied = bool(tables & elsewhere)
    inside = matrices if is_tied else matrices[:-1]
    return [parameter for parameter in inside if parameter.requires_grad]
