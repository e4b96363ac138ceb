from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.callbacks.trials import Kept, trial_in

transformers = pytest.importorskip("transformers")

from danlu.training.callbacks import HuggingFaceCallback  # noqa: E402

WORDS = torch.randint(0, 20, (96, 6), generator=torch.Generator().manual_seed(0))
EXAMPLES = [
    {"input_ids": words, "labels": label}
    for words, label in zip(WORDS, (WORDS[:, 0] > 9).long(), strict=True)
]
SIZES = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 8,
}


def train(
    folder: Path,
    channel: Kept,
    *,
    budget: int | None = None,
    unit: Any = "epoch",
    metric: str = "eval_loss",
    resume: bool = True,
    watch: bool = False,
    beside: Any = (),
    **settings: Any,
) -> tuple[Any, Tensor, Any]:
    """The trainer, all weights of the model that it trained, and the callback."""
    callback = HuggingFaceCallback(
        trial_in(folder, channel, metric=metric, budget=budget), unit=unit
    )
    if watch:
        callback.watch()
    torch.manual_seed(1)
    model = transformers.BertForSequenceClassification(transformers.BertConfig(**SIZES))
    given = {
        "num_train_epochs": 4,
        "per_device_train_batch_size": 16,
        "learning_rate": 0.01,
        "eval_strategy": "epoch",
        "save_strategy": "no",
        "logging_strategy": "epoch",
        **settings,
    }
    trainer = transformers.Trainer(
        model=model,
        args=transformers.TrainingArguments(
            output_dir=str(folder / "output"),
            use_cpu=True,
            report_to=[],
            disable_tqdm=True,
            **given,
        ),
        train_dataset=EXAMPLES,
        eval_dataset=EXAMPLES[:32],
        callbacks=[callback, *beside],
    )
    trainer.train(resume_from_checkpoint=callback.checkpoint if resume else None)
    weights = [own.detach().flatten() for own in model.parameters()]
    return trainer, torch.cat(weights), callback


def test_a_trial_that_was_paused_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, parts = Kept(), Kept()
    _, expected, _ = train(tmp_path / "whole", whole)

    for budget in (1, 3, None):
        _, got, _ = train(tmp_path / "parts", parts, budget=budget)

    assert torch.equal(expected, got)
    assert dict(whole.sent) == dict(parts.sent)
    assert [1, 1, 2, 3, 3, 4] == parts.steps


@pytest.mark.slow
def test_it_goes_on_within_an_epoch(tmp_path: Path) -> None:
    in_steps: dict[str, Any] = {
        "unit": "step",
        "eval_strategy": "steps",
        "eval_steps": 4,
    }
    whole, parts = Kept(), Kept()
    _, expected, _ = train(tmp_path / "whole", whole, **in_steps)

    for budget in (4, None):
        _, got, _ = train(tmp_path / "parts", parts, budget=budget, **in_steps)

    assert torch.equal(expected, got)
    assert [4, 8, 12, 16, 20, 24] == whole.steps


def test_what_it_reports_is_of_the_model_and_not_of_the_machine(tmp_path: Path) -> None:
    channel = Kept()

    train(tmp_path, channel, num_train_epochs=1)

    assert {"loss", "eval_loss"} == set(channel.sent[0][1])


def test_what_was_saved_and_not_reported_is_reported_again(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk is full"):
        train(tmp_path, Kept(break_at=2))

    again = Kept()
    train(tmp_path, again, budget=2)

    assert [2] == again.steps


def test_danlu_stops_a_trial(tmp_path: Path) -> None:
    channel = Kept(stop_at=2)

    trainer, _, _ = train(tmp_path, channel)

    assert [1, 2] == channel.steps
    assert 12 == trainer.state.global_step


@pytest.mark.slow
def test_checkpoints_that_nobody_else_asked_for_do_not_stay(tmp_path: Path) -> None:
    train(tmp_path / "alone", Kept(), num_train_epochs=1)
    train(tmp_path / "asked", Kept(), num_train_epochs=1, save_strategy="epoch")

    assert [] == list((tmp_path / "alone" / "output").glob("checkpoint-*"))
    assert 1 == len(list((tmp_path / "asked" / "output").glob("checkpoint-*")))


def test_a_trial_without_evaluations_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="eval_strategy='epoch'"):
        train(tmp_path, Kept(), eval_strategy="no")


def test_epochs_are_not_counted_where_evaluations_are_between_them(
    tmp_path: Path,
) -> None:
    with pytest.raises(ValueError, match=r"HuggingFaceCallback\(unit='step'\)"):
        train(tmp_path, Kept(), eval_strategy="steps", eval_steps=4)


@pytest.mark.slow
def test_an_epoch_that_max_steps_cuts_off_has_a_number_of_its_own(
    tmp_path: Path,
) -> None:
    channel = Kept()

    train(tmp_path, channel, max_steps=8)  # of 6 in an epoch

    assert [1, 2] == channel.steps


def test_a_trainer_that_saves_the_best_alone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing is reported"):
        train(
            tmp_path,
            Kept(),
            save_strategy="best",
            metric_for_best_model="eval_loss",
            greater_is_better=False,
        )


def test_a_trial_without_its_optimizer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="save_only_model=False"):
        train(tmp_path, Kept(), save_only_model=True)


@pytest.mark.slow
def test_an_evaluation_before_the_first_update_is_not_reported(tmp_path: Path) -> None:
    channel = Kept()

    for budget in (1, 2):
        train(tmp_path, channel, budget=budget, eval_on_start=True)

    assert [1, 1, 2] == channel.steps


def test_a_metric_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"about 'eval_f1'.*'eval_loss'"):
        train(tmp_path, Kept(), metric="eval_f1")


def test_a_checkpoint_that_was_not_given_to_the_trainer_is_an_error(
    tmp_path: Path,
) -> None:
    train(tmp_path, Kept(), budget=1)

    with pytest.raises(ValueError, match="resume_from_checkpoint=callback"):
        train(tmp_path, Kept(), resume=False)


@pytest.mark.slow
def test_a_training_that_ended_early_stays_ended(tmp_path: Path) -> None:
    channel = Kept()

    for _ in range(2):
        patience = transformers.EarlyStoppingCallback(1, early_stopping_threshold=10.0)
        train(tmp_path, channel, beside=[patience], metric_for_best_model="eval_loss")

    assert [1, 2, 2] == channel.steps


@pytest.mark.slow
def test_a_training_that_was_done_goes_on_where_it_is_made_longer(
    tmp_path: Path,
) -> None:
    channel = Kept()

    for epochs in (1, 2):
        train(tmp_path, channel, num_train_epochs=epochs)

    assert [1, 1, 2] == channel.steps


@pytest.mark.slow
def test_nothing_is_said_of_the_gradients_of_a_new_bert(tmp_path: Path) -> None:
    _, _, callback = train(tmp_path, Kept(), watch=True, num_train_epochs=7)

    assert ["ok"] == [finding.level for finding in callback.findings()]
