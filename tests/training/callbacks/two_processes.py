"""A program that two processes run: `python two_processes.py lightning|hf|accelerate`.

Each process writes what it came to. Only the first can hear that the trial is to end.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

RANK = int(os.environ.get("LOCAL_RANK", "0"))
if RANK:
    os.environ["DANLU_STOP"] = os.devnull + "/nobody"
EPOCHS = 3
INPUTS = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
LABELS = (INPUTS[:, 0] > 0).long()
EXAMPLES = TensorDataset(INPUTS, LABELS)


class Net(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 2))

    def forward(self, inputs: Any, labels: Any) -> Any:
        return {"loss": functional.cross_entropy(self.net(inputs), labels)}


def by_lightning() -> tuple[nn.Module, int]:
    import lightning

    from danlu.training.callbacks import LightningCallback

    class Module(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = Net()

        def training_step(self, batch: Any, place: int) -> Any:
            return self.inner(*batch)["loss"]

        def validation_step(self, batch: Any, place: int) -> None:
            self.log("loss", self.inner(*batch)["loss"], sync_dist=True)

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=0.01)

    callback = LightningCallback()
    trainer = lightning.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        callbacks=[callback],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    module = Module()
    loaders = DataLoader(EXAMPLES, 8, shuffle=True), DataLoader(EXAMPLES, 8)
    trainer.fit(module, *loaders, ckpt_path=callback.ckpt_path)
    return module, trainer.global_step


def by_hugging_face() -> tuple[nn.Module, int]:
    from transformers import Trainer, TrainingArguments

    from danlu.training.callbacks import HuggingFaceCallback

    callback = HuggingFaceCallback()
    examples = [
        {"inputs": row, "labels": label}
        for row, label in zip(INPUTS, LABELS, strict=True)
    ]
    trainer = Trainer(
        model=Net(),
        args=TrainingArguments(
            "output",
            use_cpu=True,
            num_train_epochs=EPOCHS,
            per_device_train_batch_size=8,
            learning_rate=0.01,
            eval_strategy="epoch",
            save_strategy="no",
            report_to=[],
            prediction_loss_only=True,
        ),
        train_dataset=examples,
        eval_dataset=examples,
        callbacks=[callback],
    )
    trainer.train(resume_from_checkpoint=callback.checkpoint)
    return trainer.model, trainer.state.global_step


def by_accelerate() -> tuple[nn.Module, int]:
    from accelerate import Accelerator

    from danlu.training.callbacks import AccelerateTrial

    accelerator = Accelerator(cpu=True)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loader = DataLoader(EXAMPLES, 8, shuffle=True)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    run = AccelerateTrial(accelerator)
    run.watch(model)
    done = 0
    for epoch in run.steps(EPOCHS):
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = model(inputs, labels)["loss"]
            accelerator.backward(loss)
            with run.update():
                optimizer.step()
        done = epoch * len(loader)
        run.report(epoch, loss=accelerator.reduce(loss.detach(), "mean"))
    return accelerator.unwrap_model(model), done


if __name__ == "__main__":
    torch.set_num_threads(1)
    ways = {
        "lightning": by_lightning,
        "hf": by_hugging_face,
        "accelerate": by_accelerate,
    }
    trained, steps = ways[sys.argv[1]]()
    weights = torch.cat([own.detach().flatten() for own in trained.parameters()])
    came_to = {"steps": steps, "weights": weights.tolist()}
    Path(f"came-to-{RANK}.json").write_text(json.dumps(came_to))
    # One time in ten a process that trained with DDP aborts in torch as it shuts down,
    # with its group destroyed or not, and that would be a failure to its launcher.
    os._exit(0)
