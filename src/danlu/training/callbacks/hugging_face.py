"""A trial of danlu as a callback of Hugging Face's `Trainer`.

The trainer saves all that it needs to go on, random states and the place in the order
of the examples included. The callback takes that checkpoint over into the trial, whole
or not at all, and only then reports.
"""

from __future__ import annotations

import json
import math
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from ...client import LiveTrial
from ..finding import Finding
from .shared_trial import SharedTrial, Unit, check_unit, numbers
from .watched import Watched, tell

try:
    from transformers import TrainerCallback, TrainerControl, TrainerState
    from transformers.training_args import TrainingArguments
except ImportError as error:
    raise ImportError(
        "HuggingFaceCallback needs transformers: pip install 'danlu[transformers]' "
        f"({error})"
    ) from error

NOTE = "danlu.json"  # in a checkpoint: what is reported once it is saved
# What `Trainer.evaluate` adds to the metrics about its own speed.
SPEEDS = ("_runtime", "_per_second")


class HuggingFaceCallback(TrainerCallback):  # type: ignore[misc]
    """Saves, reports and stops a trial at each evaluation.

    `trainer.train(resume_from_checkpoint=callback.checkpoint)` goes on where the trial
    was. The arguments need an `eval_strategy`; `save_strategy="no"` leaves saving to
    the callback. `unit` says what danlu counts: "epoch" or "step".

    >>> from danlu.training.callbacks import HuggingFaceCallback
    >>> callback = HuggingFaceCallback(unit="step")
    >>> callback.findings()
    ()

    Raises:
        ImportError: there is no transformers.
        ValueError: the unit is another one.
    """

    def __init__(self, trial: LiveTrial | None = None, *, unit: Unit = "epoch") -> None:
        check_unit(unit)
        self._shared = SharedTrial(trial)
        self._unit = unit
        self._due: tuple[int, dict[str, float]] | None = None  # after the next save
        self._settled = 0  # the update up to which all is reported
        self._ended = False
        self._watches = False
        self._watched: Watched | None = None

    @property
    def checkpoint(self) -> str | None:
        """What `Trainer.train` takes to go on; None for a trial that begins."""
        saved = self._shared.latest()
        return None if saved is None else str(saved.path)

    def watch(self) -> HuggingFaceCallback:
        """The same callback, which looks at the gradients too, after clipping."""
        self._watches = True
        return self

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the gradients, empty where they are not watched."""
        return () if self._watched is None else self._watched.findings()

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Reports again what may have been saved without having been reported."""
        _check(args, self._unit)
        if self._watches and state.is_world_process_zero:
            self._watched = Watched(kwargs["model"])
        saved = self._shared.latest()
        if saved is None:
            return
        note = json.loads((saved.path / NOTE).read_text("utf-8"))
        if note["global_step"] != state.global_step:
            raise ValueError(
                f"the trial has a checkpoint at step {note['global_step']}, and "
                f"training begins at step {state.global_step}: "
                "trainer.train(resume_from_checkpoint=callback.checkpoint)"
            )
        self._settled = state.global_step
        self._report(control, note["step"], note["metrics"])
        if note["ended"]:
            self._ended = control.should_training_stop = True

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Keeps the metrics, and has the trainer save."""
        if self._ended or state.global_step <= self._settled:
            return
        step = _begun(state.epoch) if self._unit == "epoch" else state.global_step
        logged = [entry for entry in state.log_history if "loss" in entry]
        fresh = logged and logged[-1]["step"] == state.global_step
        found = {"loss": float(logged[-1]["loss"])} if fresh else {}
        found |= numbers(kwargs["metrics"])
        metrics = {
            name: value
            for name, value in found.items()
            if name != "epoch" and not name.endswith(SPEEDS)
        }
        self._due = step, metrics
        control.should_save = True

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Takes over what the trainer saved, then reports."""
        if self._due is None:
            return
        step, metrics = self._due
        self._due = None
        self._settled = state.global_step
        saved = Path(args.output_dir, f"checkpoint-{state.global_step}")
        # By another callback, such as EarlyStoppingCallback.
        ended = control.should_training_stop and state.global_step < state.max_steps
        note = {
            "step": step,
            "metrics": metrics,
            "global_step": state.global_step,
            "ended": ended,
        }
        self._shared.wait()  # until all have written their part
        self._shared.save_by_first(step, metrics, partial(_take_over, saved, note))
        if args.save_strategy == "no" and self._shared.rank == 0:
            shutil.rmtree(saved)  # saved for the trial alone
        self._report(control, step, metrics)

    def on_epoch_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Evaluates nothing more once the trial has ended."""
        if self._ended:
            control.should_evaluate = control.should_save = False

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        """Looks at the gradients."""
        if self._watched is not None:
            self._watched.before_update()

    def on_optimizer_step(self, *_: Any, **__: Any) -> None:
        """Measures what the update changed."""
        if self._watched is not None:
            self._watched.after_update()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Writes findings to stderr."""
        tell(self.findings())

    def _report(
        self, control: TrainerControl, step: int, metrics: dict[str, float]
    ) -> None:
        if not self._shared.report(step, metrics):
            self._ended = control.should_training_stop = True


def _check(args: TrainingArguments, unit: Unit) -> None:
    if args.eval_strategy == "no":
        raise ValueError(
            "danlu hears of a trial at its evaluations: give TrainingArguments "
            "eval_strategy='epoch' or 'steps', got 'no'"
        )
    if unit == "epoch" and args.eval_strategy == "steps":
        raise ValueError(
            "unit='epoch' has one evaluation for each epoch: TrainingArguments("
            "eval_strategy='epoch'), or HuggingFaceCallback(unit='step'), got "
            "eval_strategy='steps'"
        )
    if args.save_strategy == "best":
        raise ValueError(
            "with save_strategy='best' the Trainer saves nothing after most "
            "evaluations, so that nothing is reported: TrainingArguments("
            "save_strategy='epoch', 'steps' or 'no')"
        )
    if args.save_only_model:
        raise ValueError(
            "a trial goes on with its optimizer: TrainingArguments("
            "save_only_model=False), got True"
        )


def _begun(epoch: float | None) -> int:
    """How many epochs have begun: the last one ends early where `max_steps` says so."""
    return math.ceil(round(epoch or 0.0, 6))


def _take_over(saved: Path, note: dict[str, Any], path: Path) -> None:
    shutil.copytree(saved, path)
    (path / NOTE).write_text(json.dumps(note), "utf-8")
