from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

transformers = pytest.importorskip("transformers")

from danlu.training import Probe  # noqa: E402

INPUTS = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
EXAMPLES = [
    {"pixel_values": row, "labels": label}
    for row, label in zip(INPUTS, (INPUTS[:, 0] > 0).long(), strict=True)
]
WORDS = torch.randint(0, 20, (64, 6), generator=torch.Generator().manual_seed(0))


class Net(nn.Module):  # type: ignore[misc]
    """A classifier that answers as models of transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, pixel_values: Tensor, labels: Tensor | None = None) -> Any:
        logits = self.net(pixel_values)
        if labels is None:
            return {"logits": logits}
        return {"loss": functional.cross_entropy(logits, labels), "logits": logits}


def trainer_in(folder: Path, **given: Any) -> Any:
    settings = {"learning_rate": 0.05, "per_device_train_batch_size": 32}
    return transformers.Trainer(
        args=transformers.TrainingArguments(
            output_dir=str(folder), use_cpu=True, report_to=[], **settings
        ),
        **{
            "train_dataset": EXAMPLES[:200],
            "eval_dataset": EXAMPLES[200:],
            **({} if "model_init" in given else {"model": Net()}),
            **given,
        },
    )


def test_a_healthy_trainer_has_no_faults(tmp_path: Path) -> None:
    probe = Probe.from_hf(trainer_in(tmp_path))

    assert {"ok"} == {finding.level for finding in probe.check()}


def test_labels_of_other_inputs_are_found(tmp_path: Path) -> None:
    turned = [
        {**own, "labels": other["labels"]}
        for own, other in zip(EXAMPLES, EXAMPLES[1:] + EXAMPLES[:1], strict=True)
    ]
    probe = Probe.from_hf(trainer_in(tmp_path, train_dataset=turned[:200]))

    messages = [f.message for f in probe.check() if f.level == "warning"]

    assert any("no more than by chance" in message for message in messages)


def test_it_takes_rate_batch_size_and_optimizer_of_the_arguments(
    tmp_path: Path,
) -> None:
    probe = Probe.from_hf(trainer_in(tmp_path))

    _, optimizer = probe.build({"lr": 0.02})

    assert isinstance(optimizer, torch.optim.AdamW)
    assert (0.05, 32) == (probe.params["lr"], probe.batch_size)
    assert {0.02} == {group["lr"] for group in optimizer.param_groups}


def test_a_trainer_stays_as_it_was(tmp_path: Path) -> None:
    trainer = trainer_in(tmp_path)
    before = trainer.model.net[0].weight.clone()
    probe = Probe.from_hf(trainer)

    model, optimizer = probe.build()
    probe.update(model, optimizer, next(probe.batches()))

    assert trainer.optimizer is None
    assert torch.equal(before, trainer.model.net[0].weight)


def test_a_model_init_gives_each_seed_its_first_weights(tmp_path: Path) -> None:
    probe = Probe.from_hf(trainer_in(tmp_path, model_init=Net))

    first, second = (
        probe.build(seed=seed)[0].get_parameter("net.0.weight") for seed in (0, 1)
    )

    assert not torch.equal(first, second)


def test_a_language_model_is_judged_by_its_vocabulary(tmp_path: Path) -> None:
    sizes = {"vocab_size": 20, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 8}
    config = transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)
    texts = [{"input_ids": row, "labels": row} for row in WORDS]
    probe = Probe.from_hf(
        trainer_in(
            tmp_path,
            model=transformers.GPT2LMHeadModel(config),
            train_dataset=texts,
            eval_dataset=None,
        )
    )
    model, _ = probe.build()

    batch = next(probe.batches())

    assert (32, 6, 20) == probe.outputs(model, batch).shape
    assert 2 < float(probe.loss(model, batch).detach()) < 4  # log(20) = 3.0


def test_a_trainer_with_an_optimizer_is_refused(tmp_path: Path) -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    trainer = trainer_in(tmp_path, model=model, optimizers=(optimizer, None))

    with pytest.raises(ValueError, match="has its optimizer already"):
        Probe.from_hf(trainer)


def test_batches_without_labels_are_refused(tmp_path: Path) -> None:
    bare = [{"pixel_values": row} for row in INPUTS]

    with pytest.raises(ValueError, match=r"needs batches with 'labels'"):
        Probe.from_hf(trainer_in(tmp_path, train_dataset=bare))
