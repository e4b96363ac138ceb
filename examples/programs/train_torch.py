"""A training program in PyTorch: a small network learns a sine.

    danlu run -p 'lr=1e-4..1e-1:log' -p 'width=8..64:log' --min val_loss --trials 10 \
        --max-steps 30 -- python examples/programs/train_torch.py

Alone it trains once with the params below and prints: python train_torch.py
"""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from danlu import client

EPOCHS = 30


def main() -> None:
    trial = client.current({"lr": 0.01, "width": 32})
    torch.manual_seed(trial.seed)
    x = torch.linspace(-3, 3, 200).unsqueeze(1)
    train, validation = x[::2], x[1::2]
    width = trial.params["width"]
    network = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=trial.params["lr"])
    saved = trial.checkpoints.latest()
    first = 1
    if saved is not None:  # the trial goes on
        state = torch.load(saved.path)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        optimizer.param_groups[0]["lr"] = trial.params["lr"]  # a child has its own
        torch.set_rng_state(state["random"])
        first = saved.step + 1
    for epoch in range(first, (trial.budget or EPOCHS) + 1):
        for batch in train[torch.randperm(len(train))].split(20):
            optimizer.zero_grad()
            nn.functional.mse_loss(network(batch), batch.sin()).backward()
            optimizer.step()
        with torch.no_grad():
            loss = nn.functional.mse_loss(network(validation), validation.sin())
        state = {
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "random": torch.get_rng_state(),
        }
        trial.checkpoints.save(epoch, partial(torch.save, state))
        if not trial.report(epoch, val_loss=loss):
            break


if __name__ == "__main__":
    main()
