"""The trainings of `benchmarks.claims`: what is trained, and how one training goes.

digits      two dense layers with batch norms on scikit-learn's digits
fashion     two convolutions with batch norms on 2,000 images of Fashion-MNIST, 14 x 14
plain       the same without batch norms
wide        one dense layer on 10,000 images of Fashion-MNIST, 14 x 14
text        a convolutional network on queries of 20 intents of CLINC150
characters  a transformer of one block that predicts the next letter of Shakespeare's;
            `characters_post` has its norms after the residual sums, as in 2017

Whatever diverges counts as a guess, in its error and in its loss.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from danlu.training import (
    Step,
    Tracks,
    WeightAverage,
    build_optimizer,
    build_tracks,
    one_cycle,
    one_cycle_momentum,
    reestimate_norms,
)
from danlu.training.fit_settings import STEP_FACTOR, STEPS_AT

from .workloads import Parts, TextCnn, digit_images, fashion_images, intent_queries

Params = Mapping[str, Any]
Record = dict[str, Any]
Seeds = Sequence[int]
Examples = tuple[Tensor, Tensor]
WIDTH = 32  # of the transformer
CHARACTERS = 32  # in a sequence
LETTERS = 200_000  # of the text: four fifths to train on, a tenth each for the rest
EVALUATED = 32  # of the steps so far, how finely the first one at a target is found
MEASURED = 1000  # examples whose scores are computed at once


@dataclass(frozen=True)
class ClaimTask:
    """What is trained for `updates` batches, and whether its error or loss counts."""

    name: str
    parts: Callable[[], Parts]
    network: Callable[[Parts], nn.Module]
    updates: int
    batch: int
    metric: str = "error"

    def train(self, params: Params, seed: int) -> Record:
        """What one training ends with: errors and losses, also of weight averages.

        `params` are those of `build_optimizer` and `build_tracks`; beside them
        `updates` and `batch_size` instead of the task's own, and `half_lives` of
        averages, in samples.
        """
        model, parts = self._begun(seed)
        averages = [
            WeightAverage(model, half_life)
            for half_life in params.get("half_lives", ())
        ]
        size = int(params.get("batch_size", self.batch))
        for _ in self._updates(model, params):
            for average in averages:
                average.update(samples=size)
        return _measured(model, parts) | {
            "averages": [_averaged(model, average, parts) for average in averages]
        }

    def reach(self, params: Params, seed: int, target: float) -> Record:
        """After how many updates the validation error is at the target, None if never.

        Looked at after every 32nd part of the updates so far, so at least within 3 %.
        """
        model, parts = self._begun(seed)
        due = 1
        for done in self._updates(model, params):
            if done < due:
                continue
            due = done + max(1, done // EVALUATED)
            if _scored(model, parts["val"])["error"] <= target:
                return {"reached": done}
        return {"reached": None}

    def _begun(self, seed: int) -> tuple[nn.Module, Parts]:
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        parts = self.parts()
        return self.network(parts), parts

    def _updates(self, model: nn.Module, params: Params) -> Iterator[int]:
        """Updates the model; how many were done, after each. Ends where it diverges."""
        X, y = self.parts()["train"]
        steps = int(params.get("updates", self.updates))
        optimizer, tracks = build_optimizer(model, params), tracks_of(params, steps)
        batches = _batches(len(X), int(params.get("batch_size", self.batch)))
        for step, batch in enumerate(islice(batches, steps)):
            model.train()
            tracks.set(optimizer, step)
            optimizer.zero_grad()
            loss = _loss(model(X[batch]), y[batch])
            if not math.isfinite(loss.item()):
                return
            loss.backward()
            optimizer.step()
            yield step + 1


def tracks_of(params: Params, steps: int) -> Tracks:
    """The rates of a training; `step` divides by ten at half and at three quarters.

    Beside a one-cycle the momentum falls and rises (Smith, 2018, section 4.3).
    """
    if params.get("schedule") == "step":
        at = tuple(round(share * steps) for share in STEPS_AT)
        return Tracks(Step(params["lr"], at, STEP_FACTOR, steps))
    if params.get("schedule") == "one_cycle":
        cycle = one_cycle(params["lr"], steps)
        return Tracks(cycle, momentum=one_cycle_momentum(cycle))
    return build_tracks(params, steps)


def _batches(count: int, size: int) -> Iterator[Tensor]:
    """Places of examples, in a new order in each epoch; a smaller last batch is out."""
    while True:
        for places in torch.randperm(count).split(size):
            if len(places) == size:
                yield places


def _loss(scores: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(scores.flatten(0, -2), labels.flatten())


def _measured(model: nn.Module, parts: Parts) -> Record:
    return {
        f"{part}_{name}": value
        for part in ("val", "test")
        for name, value in _scored(model, parts[part]).items()
    }


def _averaged(model: nn.Module, average: WeightAverage, parts: Parts) -> Record:
    """What the averaged weights come to, with norms measured anew for them."""
    with average.applied():
        reestimate_norms(model, parts["train"][0].split(MEASURED))
        return _measured(model, parts)


def _scored(model: nn.Module, examples: Examples) -> dict[str, float]:
    """Mean error and loss; what is worse than a guess counts as one."""
    model.eval()
    X, y = examples
    with torch.no_grad():
        scores = torch.cat([model(piece) for piece in X.split(MEASURED)])
    guess = math.log(scores.shape[-1])
    if not scores.isfinite().all():
        return {"error": 1 - 1 / scores.shape[-1], "loss": guess}
    error = (scores.argmax(-1) != y).float().mean().item()
    return {"error": error, "loss": min(_loss(scores, y).item(), guess)}


class Letters(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    """A transformer of one block that predicts the next letter."""

    def __init__(self, count: int, *, norm_first: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(count, WIDTH)
        self.places = nn.Parameter(torch.randn(CHARACTERS, WIDTH) * 0.02)
        self.block = nn.TransformerEncoderLayer(
            WIDTH, 4, 2 * WIDTH, dropout=0.0, norm_first=norm_first, batch_first=True
        )
        self.head = nn.Linear(WIDTH, count)
        mask = nn.Transformer.generate_square_subsequent_mask(CHARACTERS)
        self.register_buffer("mask", mask)

    def forward(self, X: Tensor) -> Tensor:
        vectors = self.embedding(X) + self.places
        scores: Tensor = self.head(self.block(vectors, src_mask=self.mask))
        return scores


@cache
def _letters(data: Path) -> Parts:
    text = next((data / "tinyshakespeare").glob("*.txt")).read_text("utf-8")[:LETTERS]
    known = {letter: place for place, letter in enumerate(sorted(set(text)))}
    tokens = torch.tensor([known[letter] for letter in text])
    rows = tokens[: len(tokens) // (CHARACTERS + 1) * (CHARACTERS + 1)]
    rows = rows.view(-1, CHARACTERS + 1)
    tenth = len(rows) // 10
    pieces = rows.split([len(rows) - 2 * tenth, tenth, tenth])
    found = {
        part: (own[:, :-1], own[:, 1:])
        for part, own in zip(("train", "val", "test"), pieces, strict=True)
    }
    return {**found, "val": tuple(own[:256] for own in found["val"])}


def _transformer(parts: Parts, *, norm_first: bool) -> nn.Module:
    count = 1 + max(int(own.max()) for own, _ in parts.values())
    return Letters(count, norm_first=norm_first)


def _dense(widths: Sequence[int], parts: Parts) -> nn.Module:
    size, layers = parts["train"][0][0].numel(), [nn.Flatten()]
    for width in widths:
        layers += [nn.Linear(size, width), nn.BatchNorm1d(width), nn.ReLU()]
        size = width
    return nn.Sequential(*layers, nn.Linear(size, 10))


def _plain_dense(_: Parts) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(196, 64), nn.ReLU(), nn.Linear(64, 10))


def _convolutions(norm: Callable[[int], nn.Module], _: Parts) -> nn.Module:
    layers: list[nn.Module] = []
    for size, width in ((1, 8), (8, 16)):
        layers += [nn.Conv2d(size, width, 3, padding=1), norm(width)]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * 9, 10))


def claim_tasks(data: Path | None) -> dict[str, ClaimTask]:
    """The tasks by name: only digits without the folder of the others' data."""
    found = [ClaimTask("digits", digit_images, partial(_dense, (64, 64)), 300, 32)]
    if data is not None:
        small = partial(fashion_images, data, (2000, 2000, 3000))
        large = partial(fashion_images, data, (10000, 2000, 3000))
        text = partial(intent_queries, data, 20)
        words = {"embedding": 32, "channels": 32, "dropout": 0.0}
        letters = partial(_letters, data)
        normed = partial(_convolutions, nn.BatchNorm2d)
        plain = partial(_convolutions, lambda _: nn.Identity())
        before = partial(_transformer, norm_first=True)
        after = partial(_transformer, norm_first=False)
        found += [
            ClaimTask("fashion", small, normed, 400, 32),
            ClaimTask("plain", small, plain, 400, 32),
            ClaimTask("wide", large, _plain_dense, 4000, 64),
            ClaimTask("text", text, partial(TextCnn, words), 300, 32),
            ClaimTask("characters", letters, before, 200, 16, "loss"),
            ClaimTask("characters_post", letters, after, 200, 16, "loss"),
        ]
    return {own.name: own for own in found}


class Trainings:
    """The trainings that were done, a line each in a file, and those that are asked."""

    def __init__(self, tasks: Mapping[str, ClaimTask], results: Path) -> None:
        self.tasks, self.results = tasks, results
        self.done = 0
        self._records = {_key(own): own for own in _read(results)}

    def ended(self, task: str, params: Params, seed: int) -> Record:
        """What a training ended with; trained now if it is not in the file."""
        return self._one({"task": task, "params": dict(params), "seed": seed})

    def reached(self, task: str, params: Params, seed: int, target: float) -> Record:
        """After how many updates a training came to a target."""
        return self._one(
            {"task": task, "params": dict(params), "seed": seed, "target": target}
        )

    def _one(self, asked: Record) -> Record:
        if _key(asked) not in self._records:
            task, params, seed = (
                self.tasks[asked["task"]],
                asked["params"],
                asked["seed"],
            )
            if "target" in asked:
                found = task.reach(params, seed, asked["target"])
            else:
                found = task.train(params, seed)
            # The line's end comes first: the last line may be cut off.
            with self.results.open("a", encoding="utf-8") as file:
                file.write("\n" + json.dumps({**asked, **found}))
            self._records[_key(asked)] = {**asked, **found}
            self.done += 1
        return self._records[_key(asked)]


def _key(record: Params) -> str:
    asked = [record["task"], record["params"], record["seed"], record.get("target")]
    return json.dumps(asked, sort_keys=True)


def _read(results: Path) -> list[Record]:
    """The records of the file; a line that was cut off is left out."""
    if not results.exists():
        return []
    lines = results.read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]
