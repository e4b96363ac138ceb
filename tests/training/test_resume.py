from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from danlu import training
from tests.training.short_fits import flat

STEPS = 24


class Loop:
    """A training loop with every tool that remembers something."""

    def __init__(self, name: str) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(
            nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 3)
        )
        params = {"optimizer": name, "lr": 0.02, "weight_decay": 0.1}
        self.optimizer = training.build_optimizer(self.model, params)
        rates = training.Restarts(0.02, period=8, multiply=2)
        self.tracks = training.restart_tracks(rates, norm=0.01)
        self.average = training.WeightAverage(self.model, half_life=50)
        self.stopping = training.EarlyStopping(patience=5)
        self.labels = torch.arange(96) % 3
        self.inputs = torch.randn(96, 6, generator=torch.Generator().manual_seed(1))

    def run(self, first: int, last: int) -> None:
        batches = training.BalancedBatches(self.labels, batch_size=12, seed=3)
        for step in range(first, last):
            epoch, within = divmod(step, len(batches))
            batches.set_epoch(epoch)
            batch = list(batches)[within]
            self.tracks.set(self.optimizer, step)
            self.optimizer.zero_grad()
            scores = self.model(self.inputs[batch])
            loss = functional.cross_entropy(scores, self.labels[batch])
            loss.backward()
            training.take_step(self.optimizer, clip_norm=0.5)
            self.average.update(samples=12)
            self.stopping.update(loss.item())

    def state(self) -> dict[str, Any]:
        parts = (self.model, self.optimizer, self.average, self.stopping)
        return {str(at): part.state_dict() for at, part in enumerate(parts)}

    def load(self, state: dict[str, Any]) -> None:
        parts = (self.model, self.optimizer, self.average, self.stopping)
        for at, part in enumerate(parts):
            part.load_state_dict(state[str(at)])

    def saved(self) -> bytes:
        file = io.BytesIO()
        torch.save(self.state(), file)
        return file.getvalue()


@pytest.mark.parametrize("name", ["sgdw", "nadamw", "muon"])
def test_a_resumed_loop_ends_bit_for_bit_where_the_whole_one_does(name: str) -> None:
    whole, first, second = Loop(name), Loop(name), Loop(name)
    whole.run(0, STEPS)
    first.run(0, 11)
    torch.manual_seed(9)
    second.load(torch.load(io.BytesIO(first.saved()), weights_only=True))
    second.run(11, STEPS)

    assert flat(whole.state()) == flat(second.state())
