"""A program with a sound probe and a faulty one, as text."""

from __future__ import annotations

PROBES = """
import torch
from torch.nn import functional
from danlu import training

torch.set_num_threads(1)
X = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
y = (X[:, 0] + X[:, 1] > 0).long()
body = lambda params: torch.nn.Sequential(
    torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2))

def probe_of(optimizer):
    return training.Probe(
        model=body,
        optimizer=optimizer,
        loss=lambda model, batch: functional.cross_entropy(model(batch[0]), batch[1]),
        train=(X[:300], y[:300]), val=(X[300:], y[300:]), params={"lr": 1e-2},
        updates=400)

probe = probe_of(training.build_optimizer)
faulty = probe_of(lambda model, params: torch.optim.SGD(model[0].parameters(), 0.1))
"""
