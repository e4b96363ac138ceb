from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torch.utils.data import WeightedRandomSampler as Weighted

lightning = pytest.importorskip("lightning")

from danlu.training import Probe  # noqa: E402

INPUTS = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
LABELS = (INPUTS[:, 0] > 0).long()
TRAIN = DataLoader(TensorDataset(INPUTS[:200], LABELS[:200]), 32, shuffle=True)
VAL = DataLoader(TensorDataset(INPUTS[200:], LABELS[200:]), 32)


class Net(lightning.LightningModule):  # type: ignore[misc, name-defined]
    def __init__(self, lr: float = 0.05, forgotten: bool = False) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 16), nn.Linear(16, 2)
        self.lr, self.forgotten = lr, forgotten

    def forward(self, inputs: Tensor) -> Tensor:
        found: Tensor = self.last(self.first(inputs).relu())
        return found

    def training_step(self, batch: Any, place: int) -> Any:
        loss = functional.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return {"loss": loss}

    def configure_optimizers(self) -> Any:
        weights = self.last.parameters() if self.forgotten else self.parameters()
        optimizer = torch.optim.Adam(weights, lr=self.lr)
        warmup = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 100)
        return [optimizer], [{"scheduler": warmup, "interval": "step"}]


class ByHand(Net):
    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False


class TwoOptimizers(Net):
    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(self.parameters(), lr) for lr in (0.1, 0.2)]


class AsksForTrainer(Net):
    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 1 / self.trainer.max_steps)


class Endless(IterableDataset[Any]):  # type: ignore[misc]
    def __iter__(self) -> Any:
        yield INPUTS[0], LABELS[0]


class Both(lightning.LightningDataModule):  # type: ignore[misc, name-defined]
    def setup(self, stage: str) -> None:
        self.train = TRAIN

    def train_dataloader(self) -> Any:
        return self.train

    def val_dataloader(self) -> Any:
        return VAL


def test_a_healthy_module_has_no_faults() -> None:
    probe = Probe.from_lightning(Net(), TRAIN, val=VAL)

    assert {"ok"} == {finding.level for finding in probe.check()}


def test_a_layer_that_the_optimizer_lacks_is_found() -> None:
    probe = Probe.from_lightning(Net(forgotten=True), TRAIN, val=VAL)

    messages = [finding.message for finding in probe.check()]

    assert any("does not hold first.weight" in message for message in messages)


def test_its_rate_is_the_one_before_any_schedule() -> None:
    probe = Probe.from_lightning(Net(lr=0.02), TRAIN)

    _, optimizer = probe.build()

    assert 0.02 == probe.params["lr"] == optimizer.param_groups[0]["lr"]


def test_the_range_test_finds_a_usable_rate() -> None:
    found = Probe.from_lightning(lambda params: Net(), TRAIN).lr_range()

    assert "ok" == found.verdict


def test_a_module_stays_as_it_was() -> None:
    module = Net()
    before = module.first.weight.clone()
    probe = Probe.from_lightning(module, TRAIN)

    built, optimizer = probe.build()
    probe.update(built, optimizer, next(probe.batches()))

    assert torch.equal(before, module.first.weight)
    assert not torch.equal(before, built.get_parameter("first.weight"))


def test_a_function_gives_each_seed_its_first_weights() -> None:
    probe = Probe.from_lightning(lambda params: Net(), TRAIN)

    first, second = (
        probe.build(seed=seed)[0].get_parameter("first.weight") for seed in (0, 1)
    )

    assert not torch.equal(first, second)


def test_a_datamodule_gives_both_loaders() -> None:
    probe = Probe.from_lightning(Net(), Both())

    assert torch.equal(INPUTS[:200], probe.train[0])
    assert torch.equal(INPUTS[200:], probe.val[0])
    assert 32 == probe.batch_size


def test_batches_are_put_together_as_the_loader_does() -> None:
    examples = [(INPUTS[place], LABELS[place]) for place in range(64)]
    loader = DataLoader(examples, 8, collate_fn=_doubled)

    inputs, _ = next(Probe.from_lightning(Net(), loader).batches())

    assert any(torch.equal(inputs[0], 2 * row) for row in INPUTS[:64])


def _doubled(items: Any) -> Any:
    return torch.stack([2 * row for row, _ in items]), torch.stack(
        [y for _, y in items]
    )


@pytest.mark.parametrize(
    ("module", "loader", "says"),
    [
        (ByHand, TRAIN, "optimizes by hand"),
        (AsksForTrainer, TRAIN, "configure_optimizers of .* asks for self.trainer"),
        (TwoOptimizers, TRAIN, r"one optimizer.*\['SGD', 'SGD'\]"),
        (Net, DataLoader(Endless(), 8), "IterableDataset has none"),
        (Net, [TRAIN, TRAIN], "one DataLoader, got list"),
        (
            Net,
            DataLoader(TRAIN.dataset, 8, sampler=Weighted(torch.ones(200), 200)),
            "WeightedRandomSampler",
        ),
    ],
)
def test_what_cannot_be_taken_is_said(module: Any, loader: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Probe.from_lightning(module(), loader)


def test_a_module_that_was_trained_is_refused() -> None:
    module = Net()
    module.trainer = lightning.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False
    )

    with pytest.raises(ValueError, match="was trained already"):
        Probe.from_lightning(module, TRAIN)
