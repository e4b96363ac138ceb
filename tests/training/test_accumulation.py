from __future__ import annotations

import contextlib
import math
import subprocess
import sys
from collections import UserDict
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from danlu.training import accumulate, take_step

IGNORED = -100


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


def gradients(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def batch(size: int = 13) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(size, 4, generator=generator)
    labels = torch.randint(0, 3, (size,), generator=generator)
    return inputs, labels


class Loss:
    def __init__(self, model: nn.Module) -> None:
        self._model = model

    def __call__(self, part: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return functional.cross_entropy(self._model(part[0]), part[1])


def test_parts_of_unequal_size_give_the_gradient_of_the_whole() -> None:
    inputs, labels = batch()
    whole, parted = network(), network()
    loss = functional.cross_entropy(whole(inputs), labels)
    loss.backward()

    parts = list(zip(inputs.split(5), labels.split(5), strict=True))  # 5, 5, 3
    mean = accumulate(parts, lambda p: functional.cross_entropy(parted(p[0]), p[1]))

    assert torch.allclose(gradients(whole), gradients(parted), atol=1e-7)
    assert loss.item() == pytest.approx(mean)


def test_parts_with_unequal_tokens_count_by_their_tokens() -> None:
    inputs, labels = batch(12)
    labels[:5] = IGNORED  # of the first part, one token of six counts
    whole, parted = network(), network()
    functional.cross_entropy(whole(inputs), labels).backward()

    accumulate(
        list(zip(inputs.split(6), labels.split(6), strict=True)),
        lambda p: functional.cross_entropy(parted(p[0]), p[1]),
        count=lambda p: int((p[1] != IGNORED).sum()),
    )

    assert torch.allclose(gradients(whole), gradients(parted), atol=1e-7)


def test_a_part_without_a_token_is_passed_over() -> None:
    inputs, labels = batch(12)
    labels[6:] = IGNORED
    model = network()

    mean = accumulate(
        list(zip(inputs.split(6), labels.split(6), strict=True)),
        lambda p: functional.cross_entropy(model(p[0]), p[1]),
        count=lambda p: int((p[1] != IGNORED).sum()),
    )

    assert math.isfinite(mean)
    assert torch.isfinite(gradients(model)).all()


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing in them"):
        accumulate([torch.zeros(0, 4)], lambda part: part.sum())


def test_parts_without_places_are_refused() -> None:
    loader = torch.utils.data.DataLoader(torch.zeros(8, 4), batch_size=2)

    with pytest.raises(TypeError, match="as a list, got DataLoader"):
        accumulate(loader, lambda part: part.sum())


def test_a_scaled_loss_is_accumulated_alike() -> None:
    inputs, labels = batch()
    results = []
    for scaler in (None, torch.amp.GradScaler("cpu", init_scale=2.0**12)):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        mean = accumulate(
            list(zip(inputs.split(5), labels.split(5), strict=True)),
            Loss(model),
            scaler=scaler,
        )
        update = take_step(optimizer, clip_norm=0.1, scaler=scaler)
        results.append((mean, update.norm))

    assert results[0] == pytest.approx(results[1], rel=1e-5)


def test_the_processes_exchange_once() -> None:
    waited = []

    @contextlib.contextmanager
    def no_sync() -> Iterator[None]:
        waited.append(1)
        yield

    weight = torch.ones(1, requires_grad=True)
    accumulate(
        [torch.ones(2)] * 4, lambda part: (weight * part).mean(), no_sync=no_sync
    )

    assert 3 == len(waited)


def test_a_batch_in_a_dict_is_counted() -> None:
    weight = torch.ones(1, requires_grad=True)
    parts = [{"x": torch.ones(3)}, {"x": torch.zeros(1)}]

    assert 0.75 == accumulate(parts, lambda part: (weight * part["x"]).mean())


def test_a_batch_of_a_library_s_own_mapping_is_counted() -> None:
    weight = torch.ones(1, requires_grad=True)
    parts = [UserDict(x=torch.ones(3)), UserDict(x=torch.zeros(1))]

    assert 0.75 == accumulate(parts, lambda part: (weight * part["x"]).mean())


@pytest.mark.parametrize("batch", ["words", ["words"], [], None])
def test_a_batch_that_cannot_be_counted_is_refused(batch: object) -> None:
    with pytest.raises(TypeError, match="say `count`"):
        accumulate([batch], lambda part: torch.zeros(1, requires_grad=True).sum())


PROGRAM = """
import sys, torch
from torch import distributed, nn
from torch.nn import functional
from danlu.training import accumulate

torch.set_num_threads(1)
rank = int(sys.argv[1])
distributed.init_process_group(
    "gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=2)
generator = torch.Generator().manual_seed(1)
inputs = torch.randn(13, 4, generator=generator)
labels = torch.randint(0, 3, (13,), generator=generator)

def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))

whole = network()
loss = functional.cross_entropy(whole(inputs), labels)
loss.backward()
plain = network()
model = nn.parallel.DistributedDataParallel(plain)
own = slice(0, 9) if rank == 0 else slice(9, 13)  # 9 examples here, 4 there
parts = list(zip(inputs[own].split(3), labels[own].split(3)))
mean = accumulate(parts, lambda p: functional.cross_entropy(model(p[0]), p[1]),
                  no_sync=model.no_sync)
for a, b in zip(whole.parameters(), plain.parameters()):
    assert torch.allclose(a.grad, b.grad, atol=1e-6)
assert abs(mean - loss.item()) < 1e-6
distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_with_unequal_shares_give_the_gradient_of_the_whole(
    tmp_path: Path,
) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM, "utf-8")

    running = [
        subprocess.Popen([sys.executable, script, str(rank), str(tmp_path / "meet")])
        for rank in range(2)
    ]

    assert [0, 0] == [process.wait(timeout=120) for process in running]
