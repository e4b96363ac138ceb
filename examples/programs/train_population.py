"""A program whose lr changes while it trains: a network learns to read digits.

    danlu run -p 'lr=1e-3..1:log' --min val_loss --trials 100 --max-steps 30 \
        --scheduler pbt -- python examples/programs/train_population.py

It goes on from its own checkpoint or, as a child, from that of its parent: what counts
is that the params are set after the checkpoint was loaded.
"""

from __future__ import annotations

from functools import partial

import torch
from sklearn.datasets import load_digits
from torch import nn

from danlu import client
from danlu.client import LiveTrial

EPOCHS = 30
NOISE = 0.3  # on the images, so that a small network cannot learn them by heart
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
    for epoch in range(first, (trial.budget or EPOCHS) + 1):
        for batch in torch.randperm(TRAINED).split(8):
            seen = images[batch] + NOISE * torch.randn(len(batch), 64)
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(seen), labels[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            logits = network(images[TRAINED:])
            loss = nn.functional.cross_entropy(logits, labels[TRAINED:])
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
        trial.checkpoints.save(epoch, partial(torch.save, state))
        if not trial.report(epoch, val_loss=loss):
            break


if __name__ == "__main__":
    main()
