from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from danlu.cli import main
from danlu.training import Joined
from danlu.training.before_tuning import Preflight, before_tuning, counted
from danlu.training.rate_range import RateRange
from tests.cli.probes import PROBES
from tests.training.planted_bugs import BUGS, healthy

torch.set_num_threads(1)


def test_a_sound_program_gets_rates_and_a_cost() -> None:
    found = before_tuning(healthy(), updates=100)
    assert found.rates is not None
    assert found.found is not None
    low, high = found.rates

    assert () == found.faults
    assert low < (found.found.suggestion or 0) < high
    assert found.updates == pytest.approx(100 * (found.trainings or 0))
    assert 300 < found.updates < 1500


def test_without_the_length_of_a_training_there_is_no_cost_in_trainings() -> None:
    assert before_tuning(BUGS["nan in the inputs"]()).trainings is None


def test_a_fatal_fault_ends_it_without_a_rate() -> None:
    found = before_tuning(BUGS["nan in the inputs"]())

    assert found.faults
    assert (None, None) == (found.found, found.rates)


def test_a_flat_range_is_a_fault() -> None:
    flat = RateRange("flat", "It falls nowhere.", None, None, None, None, ())

    assert ("It falls nowhere.",) == Preflight((), flat, 300, 1.0, None).faults


def test_sweeps_that_disagree_give_a_wider_range() -> None:
    known = RateRange("ok", "", 0.01, 1.0, 0.001, 0.04, ())
    guess = replace(known, verdict="noisy")
    rates = Preflight((), known, 300, 1.0, None).rates
    wider = Preflight((), guess, 300, 1.0, None).rates

    assert (0.001, 0.04) == rates
    assert (1e-4, 0.4) == pytest.approx(wider)


def test_updates_of_every_optimizer_are_counted_and_only_inside() -> None:
    weights = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    first, second = (torch.optim.SGD([own], 0.1) for own in weights)
    with counted() as count:
        first.step()
        second.step()
    first.step()

    assert count.updates == 2


def test_the_command_counts_the_updates_of_all_that_it_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "train_counted.py"
    path.write_text(PROBES, "utf-8")
    said = []
    for words in ((), ("--steps", "40"), ("--trials", "12")):
        with counted() as count, pytest.raises(SystemExit):
            main(["preflight", f"{path}:probe", "--json", *words])
        said.append(json.loads(capsys.readouterr().out)["updates"])

        assert count.updates == said[-1]
    assert said == sorted(set(said))


def test_a_training_of_no_updates_is_refused() -> None:
    with pytest.raises(ValueError, match="updates >= 1"):
        replace(healthy(), updates=0)


def test_an_update_of_joined_optimizers_counts_once() -> None:
    parts = [torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.1) for _ in "ab"]

    with counted() as count:
        Joined(parts).step()

    assert 1 == count.updates
