from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from danlu.training.batch_growth import SizeTried, batch_sizes, sizes_of
from danlu.training.optimizers import build_optimizer
from danlu.training.probe import Probe

torch.set_num_threads(1)
# Bytes of address space for each example, which nothing is written to: so they cost
# nothing, and threads and their stacks are small beside them.
PER_EXAMPLE = 64 * 2**20
Batch = tuple[torch.Tensor, torch.Tensor]


def loss_of(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(model(batch[0]), batch[1])


def probe(loss: Callable[[torch.nn.Module, Batch], torch.Tensor] = loss_of) -> Probe:
    return Probe(
        model=lambda params: torch.nn.Linear(8, 2),
        optimizer=build_optimizer,
        loss=loss,
        train=(torch.ones(512, 8), torch.zeros(512, dtype=torch.long)),
    )


def hungry(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    taken = torch.empty(len(batch[1]), PER_EXAMPLE // 4)
    return loss_of(model, batch) * len(taken) / len(batch[1])


def used() -> int:
    pages = Path("/proc/self/statm").read_text("ascii").split()[0]
    return int(pages) * 4096


def largest_that_fits(examples: int) -> None:
    """Prints what is found where so many examples and nothing else have room."""
    probe().build()  # loads what every optimizer needs, which takes address space
    limit = used() + examples * PER_EXAMPLE
    found = batch_sizes(probe(hungry), memory_bytes=limit)
    tried = [[own.size, own.fits] for own in found.tried]
    print(json.dumps({"largest": found.largest, "tried": tried}))


def test_the_largest_size_is_one_that_was_seen_to_fit() -> None:
    # In an interpreter of its own: what earlier tests gave back would be room too.
    begin = f"import {__name__} as own; own.largest_that_fits(24)"
    done = subprocess.run(
        [sys.executable, "-c", begin], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    fits = dict(found["tried"])

    assert fits[found["largest"]]
    assert 8 <= found["largest"] < 32
    assert not fits[32]


def largest_after_a_training_on_two_threads() -> None:
    """Prints it; the widths are such that torch shares the work out."""
    torch.set_num_threads(2)
    inputs = torch.ones(2048, 64)
    wide = Probe(
        model=lambda params: torch.nn.Linear(64, 512),
        optimizer=build_optimizer,
        loss=loss_of,
        train=(inputs, torch.zeros(2048, dtype=torch.long)),
    )
    model, optimizer = wide.build()
    wide.update(model, optimizer, wide.train)
    print(wide.batch_sizes(most=1024).largest)


def test_a_program_that_computed_on_several_threads_can_ask_too() -> None:
    begin = f"import {__name__} as own; own.largest_after_a_training_on_two_threads()"
    done = subprocess.run(
        [sys.executable, "-c", begin],
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,  # it waited without end
    )

    assert "1024" == done.stdout.strip()


def test_nothing_beyond_the_most_is_tried() -> None:
    found = batch_sizes(probe(), most=20)

    assert [1, 2, 4, 8, 16] == [own.size for own in found.tried]
    assert 16 == found.largest


def test_no_size_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="most >= 1, got most=0"):
        batch_sizes(probe(), most=0)


def test_no_size_that_fits_is_none() -> None:
    def greedy(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        # Of more than 32 MiB the C library never takes what was freed before.
        return loss_of(model, batch) * len(torch.empty(2**30))

    found = batch_sizes(probe(greedy), memory_bytes=used() + 2**29)

    assert (None, None) == (found.largest, found.saturation)


@pytest.mark.parametrize(
    "said",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "MPS backend out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)",
        "CUDA error: invalid configuration argument",
        "Expected canUse32BitIndexMath(input) to be true, but got false.",
        "DefaultCPUAllocator: can't allocate memory",
        "std::bad_alloc",
    ],
)
def test_what_devices_say_of_too_large_a_batch_is_understood(said: str) -> None:
    def limited(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        if len(batch[1]) > 1:
            raise RuntimeError(said)
        return loss_of(model, batch)

    found = batch_sizes(probe(limited))

    assert [(1, ""), (2, said)] == [(own.size, own.reason) for own in found.tried]
    assert 1 == found.largest


def test_a_python_that_has_no_memory_left_is_understood() -> None:
    def limited(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        raise MemoryError

    assert None is batch_sizes(probe(limited)).largest


def test_the_room_that_the_largest_size_leaves_is_known_on_a_gpu() -> None:
    tried = SizeTried(4, True, 1.0, 0.1, "", peak_bytes=75, memory_bytes=100)

    assert 0.25 == sizes_of((tried,)).headroom


def test_an_error_that_is_no_lack_of_memory_is_raised() -> None:
    def broken(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        batch_sizes(probe(broken))


def test_where_reading_takes_longer_the_input_limits() -> None:
    tried = SizeTried(1, True, 1.0, 3.0), SizeTried(2, True, 2.0, 6.0)

    assert ("input", 1) == (sizes_of(tried).bottleneck, sizes_of(tried).saturation)


def test_throughput_that_still_rises_is_not_saturated() -> None:
    tried = SizeTried(1, True, 1.0, 0.1), SizeTried(2, True, 1.0, 0.1)

    assert None is sizes_of(tried).saturation


def test_one_example_may_be_too_few_for_a_batch_norm() -> None:
    def normed(params: object) -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2))

    found = batch_sizes(replace(probe(), model=normed), most=8)

    assert 8 == found.largest
    assert (1, False) == (found.tried[0].size, found.tried[0].fits)
    assert "more than 1 value per channel" in found.tried[0].reason


def test_an_error_of_any_kind_is_raised_with_its_name() -> None:
    def broken(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        parts: tuple[torch.Tensor, ...] = batch
        return model(parts[5]).sum()

    with pytest.raises(RuntimeError, match=r"batch of 2 .*IndexError"):
        batch_sizes(probe(broken))
