"""A program whose lr changes while it trains: a network learns to read digits.

    danlu run -p 'lr=1e-3..1:log' --min val_loss --trials 100 --max-steps 30 \
        --scheduler pbt -- python examples/programs/train_population.py

A step is 100 batches of two noisy images. With so much noise the best lr is large at
first and small in the end. The program goes on from its own checkpoint or, as a child,
from its parent's: what counts is that the params are set after it was loaded.
"""

from __future__ import annotations

from functools import partial

import torch
from sklearn.datasets import load_digits
from torch import nn

from danlu import client
from danlu.client import LiveTrial

STEPS = 30
BATCHES = 100  # in a step
NOISE = 0.5  # on the images
TRAINED = 1297  # images; the other 500 validate


def main(trial: LiveTrial | None = None) -> None:
    trial = trial or client.current({"lr": 0.1})
    torch.set_num_threads(1)
    torch.manual_seed(trial.seed)
    digits = load_digits()
    images = torch.as_tensor(digits.data / 16.0, dtype=torch.float32)
    labels = torch.as_tensor(digits.target)
    network = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    saved = trial.checkpoints.latest()
    if saved is not None:
        state = torch.load(saved.path)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])  # with the lr of the parent
    for group in optimizer.param_groups:
        group["lr"] = trial.params["lr"]
    first = 1 if saved is None else saved.step + 1
    for step in range(first, (trial.budget or STEPS) + 1):
        for batch in torch.randint(TRAINED, (BATCHES, 2)):
            seen = images[batch] + NOISE * torch.randn(2, 64)
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(seen), labels[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            logits = network(images[TRAINED:])
            loss = nn.functional.cross_entropy(logits, labels[TRAINED:])
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
        trial.checkpoints.save(step, partial(torch.save, state))
        if not trial.report(step, val_loss=loss):
            break


if __name__ == "__main__":
    main()
