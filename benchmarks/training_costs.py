"""What the training side costs an update, beside torch's own and a bare loop.

python -m benchmarks.training_costs --rounds 100

All ways of one task are run in turn, again and again, in one process and on one thread.
The lower quartile of their CPU seconds counts, as a ratio to the first: one call of
torch's for all tensors. The networks are random and as many-layered as real ones: 52
convolutions with batch norms, and the blocks of a vision transformer.

timm's average is measured too where timm can be imported: in an environment of its own,
`pip install --no-deps timm torchvision pyyaml huggingface_hub safetensors pillow`.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Mapping
from statistics import quantiles
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn

from danlu import training

Ways = Mapping[str, Callable[[], object]]
DECAY = 0.999
BATCH = 64
STEPS = 1000  # that a schedule is asked for in one timing


def convolutions() -> nn.Module:
    """52 convolutions of one pixel with batch norms; 3.1 million weights."""
    layers: list[nn.Module] = []
    for wide in (64, 128, 192, 256):
        layers += [nn.LazyConv2d(wide, 1), nn.BatchNorm2d(wide)]
        for _ in range(6):
            layers += [nn.Conv2d(wide, 2 * wide, 1), nn.BatchNorm2d(2 * wide)]
            layers += [nn.Conv2d(2 * wide, wide, 1), nn.BatchNorm2d(wide), nn.ReLU()]
    model = nn.Sequential(*layers)
    model(torch.zeros(2, 3, 2, 2))  # so that lazy layers know their size
    return model


def transformer() -> nn.Module:
    """The blocks of a tiny vision transformer; 5.3 million weights."""
    block = nn.TransformerEncoderLayer(192, 3, 768, norm_first=True, batch_first=True)
    return nn.TransformerEncoder(block, 12, enable_nested_tensor=False)


def averages(model: nn.Module) -> Ways:
    """An exponential average after an update of the weights, counters and all."""
    tensors = list(model.state_dict(keep_vars=True).values())
    seen = [t.detach() for t in tensors if t.is_floating_point()]
    own = [tensor.clone() for tensor in seen]
    counts = [t for t in tensors if not t.is_floating_point()]
    own_counts = [tensor.clone() for tensor in counts]

    def reference() -> None:
        torch._foreach_lerp_(own, seen, 1 - DECAY)
        if counts:
            torch._foreach_copy_(own_counts, counts)

    ours = training.WeightAverage(model, half_life=BATCH * 693)
    listed = AveragedModel(
        model, multi_avg_fn=get_ema_multi_avg_fn(DECAY), use_buffers=True
    )
    looped = AveragedModel(model, avg_fn=get_ema_avg_fn(DECAY), use_buffers=True)

    def plain() -> None:
        for average, tensor in zip(own, seen, strict=True):
            average.copy_(DECAY * average + (1 - DECAY) * tensor)

    return {
        "lists made once": reference,
        "WeightAverage": lambda: ours.update(BATCH),
        **_of_timm(model),
        "AveragedModel, lists": lambda: listed.update_parameters(model),
        "AveragedModel, loop": lambda: looped.update_parameters(model),
        "a loop": plain,
    }


def _of_timm(model: nn.Module) -> Ways:
    """timm's averages, if it is there."""
    if importlib.util.find_spec("timm") is None:
        return {}
    # timm imports torchvision, whose wheel does not load beside torch for CPUs unless
    # these two of its operators are declared.
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor boxes, Tensor scores, float limit) -> Tensor")
    from timm.utils import ModelEmaV3

    lists = ModelEmaV3(model, decay=DECAY)
    loop = ModelEmaV3(model, decay=DECAY, foreach=False)
    return {
        "timm's ModelEmaV3, lists": lambda: lists.update(model),
        "timm's ModelEmaV3, loop": lambda: loop.update(model),
    }


def norms(model: nn.Module) -> Ways:
    """The norm of each gradient, and of all, brought over from the device."""
    weights = list(model.parameters())
    for weight in weights:
        weight.grad = torch.randn_like(weight)
    gradients = [weight.grad for weight in weights]

    def measured(listed: list[torch.Tensor]) -> None:
        each = torch.stack(torch._foreach_norm(listed))
        torch.cat([each, each.norm().reshape(1)]).tolist()

    # After `zero_grad` the gradients are other tensors, so that they are listed anew.
    return {
        "listed anew": lambda: measured([weight.grad for weight in weights]),
        "listed once": lambda: measured(gradients),
        "gradient_norms": lambda: training.gradient_norms(weights).values(),
        "a loop": lambda: [float(weight.grad.norm()) for weight in weights],
    }


def clipped(model: nn.Module) -> Ways:
    """Norms of all layers, and clipping that acts at every update."""
    weights = list(model.parameters())
    gradients = [torch.randn_like(weight) for weight in weights]
    limit = 1e-3

    def fresh() -> None:
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient
        torch._foreach_mul_(gradients, 1.0 / float(gradients[0].abs().max()))

    def reference() -> None:
        fresh()
        torch.nn.utils.clip_grad_norm_(weights, limit)

    def ours() -> None:
        fresh()
        training.clip_by_norm(training.gradient_norms(weights), limit)

    def both() -> None:
        fresh()
        torch.stack(torch._foreach_norm(gradients)).tolist()
        torch.nn.utils.clip_grad_norm_(weights, limit)

    def ours_both() -> None:
        fresh()
        measured = training.gradient_norms(weights)
        measured.values()
        training.clip_by_norm(measured, limit)

    return {
        "clip_grad_norm_": reference,
        "clip_by_norm": ours,
        "norms, then clip_grad_norm_": both,
        "norms and clip_by_norm, one pass": ours_both,
    }


def schedules() -> Ways:
    """A thousand values each."""
    rate = 0.1
    kinds = {
        "Constant": training.Constant(rate),
        "Cosine": training.Cosine(rate, STEPS),
        "Warmup, Cosine": training.Warmup(100, training.Cosine(rate, STEPS - 100)),
        "Step": training.Step(rate, at=(300, 600), steps=STEPS),
        "Polynomial": training.Polynomial(rate, STEPS, power=2),
        "triangular2": training.triangular2(0.0, rate, 50),
        "Restarts": training.Restarts(rate, 10, multiply=2),
        "one_cycle": training.one_cycle(rate, STEPS),
        "Hold, one_cycle": training.Hold(training.one_cycle(rate, STEPS // 2)),
    }
    return {name: _asked(schedule) for name, schedule in kinds.items()}


def schedulers(groups: int) -> Ways:
    """A thousand steps of what writes a schedule into an optimizer."""
    ours, theirs = _optimizer(groups), _optimizer(groups)
    one_cycle = training.one_cycle(0.1, STEPS)
    momentum = training.one_cycle_momentum(one_cycle)
    tracks = training.Tracks(one_cycle, momentum)
    alone = training.Tracks(one_cycle)

    def our_steps(tracks: training.Tracks) -> None:
        for step in range(STEPS):
            tracks.set(ours, step)

    def their_steps() -> None:
        scheduler = lr_scheduler.OneCycleLR(theirs, 0.1, total_steps=STEPS + 1)
        scheduler._step_count = 2  # what it counts for a warning alone
        for _ in range(STEPS):
            scheduler.step()

    return {
        "Tracks, rate and momentum": lambda: our_steps(tracks),
        "Tracks, rate alone": lambda: our_steps(alone),
        "OneCycleLR": their_steps,
    }


def cpu_s(ways: Ways, rounds: int) -> dict[str, float]:
    """CPU seconds of each way, all in turn, after one round to warm up.

    The lower quartile: what other programs do to the caches only adds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for at in range(rounds + 1):
        first = at % len(names)  # each comes after each other one, whose cache it finds
        for name in names[first:] + names[:first]:
            way = ways[name]
            began = time.process_time()
            way()
            if at:
                seconds[name].append(time.process_time() - began)
    return {name: quantiles(own)[0] for name, own in seconds.items()}


def _asked(schedule: training.Schedule) -> Callable[[], object]:
    return lambda: [schedule(step) for step in range(STEPS)]


def _optimizer(groups: int) -> Any:
    weights = [nn.Parameter(torch.zeros(1)) for _ in range(groups)]
    return torch.optim.SGD([{"params": [own]} for own in weights], 0.1, momentum=0.9)


def _show(title: str, seconds: Mapping[str, float], *, per: int = 1) -> None:
    first = next(iter(seconds.values()))
    print(f"\n{title}")
    for name, own in seconds.items():
        print(f"  {name:<34} {own / per * 1e6:>10.2f} us   {own / first:5.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for name, build in (("convolutions", convolutions), ("transformer", transformer)):
        model = build()
        tensors = len(list(model.parameters())), len(list(model.buffers()))
        title = f"{name}: {tensors[0]} weights and {tensors[1]} buffers"
        _show(f"average, {title}", cpu_s(averages(model), rounds))
        _show(f"gradient norms, {title}", cpu_s(norms(model), rounds))
        _show(f"clipping, {title}", cpu_s(clipped(model), rounds))
    _show("a value of a schedule", cpu_s(schedules(), rounds), per=STEPS)
    for groups in (1, 60):
        steps = cpu_s(schedulers(groups), max(rounds // 3, 3))
        _show(f"a step of a schedule, {groups} groups", steps, per=STEPS)


if __name__ == "__main__":
    main()
