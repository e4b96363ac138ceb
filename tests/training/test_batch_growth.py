from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from danlu.training.batch_growth import SizeTried, batch_sizes, sizes_of
from tests.training.planted_bugs import healthy

torch.set_num_threads(1)
PER_EXAMPLE = 16 * 2**20  # bytes that the loss takes for each example


def hungry(model: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> object:
    taken = torch.ones(len(batch[1]), PER_EXAMPLE // 4)
    loss = torch.nn.functional.cross_entropy(model(batch[0]), batch[1])
    return loss + 0 * taken[:, 0].sum()


def used() -> int:
    pages = Path("/proc/self/statm").read_text("ascii").split()[0]
    return int(pages) * 4096


def largest_that_fits(examples: int) -> None:
    """Prints what is found where so many examples and nothing else have room."""
    limit = used() + examples * PER_EXAMPLE
    found = batch_sizes(healthy(loss=hungry), memory_bytes=limit)
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


def test_nothing_beyond_the_most_is_tried() -> None:
    found = batch_sizes(healthy(), most=20)

    assert [1, 2, 4, 8, 16] == [own.size for own in found.tried]
    assert 16 == found.largest


def test_no_size_that_fits_is_none() -> None:
    def greedy(
        model: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        # Of more than 32 MiB the C library never takes what was freed before.
        return torch.ones(2**28).sum() * model(batch[0]).sum()

    found = batch_sizes(healthy(loss=greedy), memory_bytes=used() + 2**29)

    assert (None, None) == (found.largest, found.saturation)


def test_an_error_that_is_no_lack_of_memory_is_raised() -> None:
    def broken(model: torch.nn.Module, batch: object) -> torch.Tensor:
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        batch_sizes(healthy(loss=broken))


def test_where_reading_takes_longer_the_input_limits() -> None:
    tried = SizeTried(1, True, 1.0, 3.0), SizeTried(2, True, 2.0, 6.0)

    assert ("input", 1) == (sizes_of(tried).bottleneck, sizes_of(tried).saturation)


def test_throughput_that_still_rises_is_not_saturated() -> None:
    tried = SizeTried(1, True, 1.0, 0.1), SizeTried(2, True, 1.0, 0.1)

    assert None is sizes_of(tried).saturation
