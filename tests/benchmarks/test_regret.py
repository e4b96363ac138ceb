from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.comparisons import Comparison, comparisons
from benchmarks.regret import main, read, rounds
from benchmarks.scores import infeasible_late, interval, regret, scores, text
from benchmarks.speaker import Course, Speaker, command, run
from benchmarks.surfaces import smooth

RECORD: dict[str, Any] = {
    "comparison": "diverging",
    "setting": "",
    "task": "family:one",
    "method": "gp",
    "seed": 0,
    "best": 0.0,
    "median": 0.5,
    "numbers": [0, 1, 2, 3],
    "seen": [None, 0.4, 0.2, 0.3],
    "true": [None, 0.3, 0.25, 0.1],
}


def test_regret_is_that_of_the_trial_seen_as_best() -> None:
    assert [1.0, 0.6, 0.5, 0.5] == regret(RECORD, (0.0, 0.5), [1, 2, 3, 4])


def test_a_loss_below_the_best_known_is_no_regret() -> None:
    assert [0.0] == regret(RECORD, (0.4, 0.5), [4])


def test_infeasible_trials_count_by_their_number_not_by_their_end() -> None:
    numbers = [30, 31, *range(30)]  # the last two asked for ended first
    seen = [None, 0.5, *[None] * 30]

    assert 0.5 == infeasible_late({**RECORD, "numbers": numbers, "seen": seen})


def test_an_interval_has_the_mean_in_it() -> None:
    values = np.random.default_rng(0).normal(3, 1, (4, 5))

    low, high = interval(values)

    assert low < values.mean() < high


def test_only_cells_that_all_have_finished_count() -> None:
    other = {**RECORD, "method": "tpe", "true": [None, 0.3, 0.5, 0.1]}
    alone = {**RECORD, "seed": 1}

    found = scores([RECORD, other, alone], [4])

    assert found is not None
    assert (1, 1, 2, 1) == found.regrets.shape
    assert [0.5, 1.0] == found.regrets[0, 0, :, 0].tolist()
    assert [1.0, 2.0] == found.ranks[0, 0, :, 0].tolist()


def test_without_a_complete_cell_there_are_no_scores() -> None:
    other = {**RECORD, "method": "tpe", "seed": 1}

    assert scores([RECORD, other], [4]) is None


def test_what_a_task_does_not_know_its_trials_say() -> None:
    unknown = {**RECORD, "best": None, "median": None}

    found = scores([unknown], [4])

    assert found is not None
    assert pytest.approx((0.25 - 0.1) / (0.25 - 0.1)) == found.regrets[0, 0, 0, 0]


def test_the_best_stands_first_in_the_table() -> None:
    other = {**RECORD, "method": "tpe", "setting": "none", "true": [None, 0.3, 0.5, 1]}
    found = scores([other, RECORD], [4])
    assert found is not None

    lines = text("few", found).splitlines()

    assert "few (family:one; 1 seed)" == lines[0]
    assert "| gp | 0.500 | 0.500 to 0.500 | 1.0 | 1.0 to 1.0 |" == lines[4]
    assert "| tpe, none | 1.000 | 1.000 to 1.000 | 2.0 | 2.0 to 2.0 |" == lines[5]


@pytest.mark.parametrize("slots", [1, 8])
def test_trials_end_in_the_order_of_their_durations(slots: int) -> None:
    with Speaker(command("random", "", "")) as speaker:
        found, again = (
            run(speaker, smooth(0), Course(trials=20, slots=slots, seed=3))
            for _ in range(2)
        )

    assert found == again
    assert list(range(20)) == sorted(found["numbers"])
    assert (slots == 1) == (found["numbers"] == sorted(found["numbers"]))


def test_an_earlier_study_is_learned_from() -> None:
    near = next(one for one in comparisons()["transfer"].settings if one.name == "near")
    alone = replace(near.task, earlier=())

    with Speaker(command("tpe", "", "")) as speaker:
        known, unknown = (
            run(speaker, task, Course(trials=10, slots=1, seed=0))
            for task in (near.task, alone)
        )

    assert np.mean(known["true"]) < np.mean(unknown["true"])


FOLDER = """
from types import SimpleNamespace

def get_task(name):
    x = {"name": "x", "type": "float", "low": 0.0, "high": 1.0, "log": False}
    told = lambda params, length, seed: {
        "val_error": params["x"], "true_error": params["x"]
    }
    stats = {"best": 0.0, "median": 0.5}
    return SimpleNamespace(name=name, space=[x], stats=stats, evaluate=told)
"""


@pytest.mark.parametrize("inner", [["in:a", "in:b"], None])
def test_all_tasks_of_the_inner_list_learn_from_one_another(
    inner: list[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = {"dev_core": ["lcbench:a", "other:b"]} | (
        {"dev_in": inner} if inner else {}
    )
    (tmp_path / "tasks.py").write_text(FOLDER, "utf-8")
    (tmp_path / "splits.json").write_text(json.dumps(lists), "utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))

    settings = comparisons(tmp_path)["transfer"].settings

    taught = [one.task.name for one in settings if one.name == "another set"]
    assert ["lcbench:a", *(inner or [])] == taught


def test_eight_at_a_time_are_asked_for_on_every_task_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = {"dev_core": ["lcbench:a"], "dev": ["lcbench:a", "other:b"]}
    (tmp_path / "tasks.py").write_text(FOLDER, "utf-8")
    (tmp_path / "splits.json").write_text(json.dumps(lists), "utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))

    settings = comparisons(tmp_path)["parallel"].settings

    slots = [one.slots for one in settings if one.task.name == "other:b"]
    assert [1, 8] == slots


def test_a_process_that_dies_is_named() -> None:
    words = command("oracle", "", "")
    with Speaker(words) as speaker, pytest.raises(RuntimeError, match="sampler oracle"):
        speaker.say("init", {})


def test_peers_take_part_where_they_are_named() -> None:
    known = {
        "few": Comparison([], (10,), ["smac"]),
        "more": Comparison(comparisons()["digits"].settings, (10,), ["optuna_tpe"]),
    }

    found = rounds(known, ["gp", "smac", "optuna_tpe"], [0, 1])

    expected = [
        ("more", "gp", 0),
        ("more", "optuna_tpe", 0),
        ("more", "gp", 1),
        ("more", "optuna_tpe", 1),
    ]
    assert expected == [(name, method, seed) for name, _, method, seed in found]


def test_runs_that_are_there_are_not_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "regret.jsonl"
    words = ["diverging", "--sampler", "random", "--seeds", "0", "--results"]

    main([*words, str(results)])
    records = read(results)
    table = capsys.readouterr().out
    with results.open("a", encoding="utf-8") as file:
        file.write('\n{"comparison": "div')  # cut off
    main([*words, str(results)])

    assert 3 == len(records)
    assert records == read(results)
    assert table == capsys.readouterr().out
    assert "infeasible after 30" in table


def test_a_comparison_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no comparison 'paralel': there are parallel"):
        main(["paralel", "--results", str(tmp_path / "regret.jsonl")])
