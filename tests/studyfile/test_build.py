from __future__ import annotations

from pathlib import Path

import pytest

from danlu.domain import Belief, Choice, Float, Int
from danlu.errors import DanluError
from danlu.metric import Metric
from danlu.studyfile import StudyFile, load

PLAIN = """\
study: digits
goal: Is Adam better than SGD?
command: python train.py {args}
metric: val_error
space:
  lr: 1e-4..1e-1:log
trials: 8
"""


def loaded(folder: Path, text: str) -> StudyFile:
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_a_plain_file_states_a_study(tmp_path: Path) -> None:
    file = loaded(tmp_path, PLAIN)
    assert file.study.name == "digits"
    assert file.study.search_space.domains == {"lr": Float(1e-4, 1e-1, log=True)}
    assert file.program.command == ("python", "train.py", "{args}")
    assert file.program.workdir == str(tmp_path)


def test_every_key_is_read(tmp_path: Path) -> None:
    text = """\
study: full
goal: Everything at once?
function: train.py:train
metric: {name: accuracy, goal: max, at: last}
space:
  width: {int: [16, 512], log: true}
  depth: [1, 2, 3]
  batch: {choice: [32, 64], ordered: true, belief: 64}
  decay: {float: [0, 1], belief: {center: 0.1, confidence: 0.8}}
  optimizer:
    choice:
      adam: {lr: 1e-4..1e-1:log, amsgrad: true|false}
      sgd:
        lr: 1e-3..1.0:log
        momentum:
          choice:
            heavy: {beta: 0.5..0.99}
            none:
fixed: {epochs: 20}
scientific: [optimizer]
baseline: {width: 64, depth: 2, batch: 32, decay: 0, optimizer: sgd, lr: 0.1,
  momentum: none}
trials: 40
max_steps: 20
seed: 7
note: why not
constraints: [latency_ms <= 20, size_mb <= 5]
guards: test_error <= baseline + 0.005
learn_from: first
slots: 2
gpus: [0, 1]
gpus_per_trial: 0.5
limits: {time: 10m, memory: 4GB, grace: 5s}
pattern: "loss=(?P<loss>[0-9.]+)"
"""
    file = loaded(tmp_path, text)
    study, program = file.study, file.program
    assert study.objective == Metric("accuracy", maximize=True, at="last")
    assert study.search_space.domains["width"] == Int(16, 512, log=True)
    assert study.search_space.domains["depth"] == Choice([1, 2, 3])
    assert study.search_space.domains["batch"].belief == Belief(64)
    assert study.search_space.domains["decay"].belief == Belief(0.1, 0.8)
    assert [str(own) for own in study.limits] == ["latency_ms <= 20", "size_mb <= 5"]
    assert study.guards == ("test_error <= baseline + 0.005",)
    assert study.learn_from == ("first",)
    paths = [dimension.path for dimension in study.search_space.dimensions]
    assert "optimizer=sgd/momentum" in paths
    assert "optimizer=sgd/momentum=heavy/beta" in paths
    assert study.scientific == ("optimizer",)
    assert study.baseline is not None
    assert study.baseline["epochs"] == 20
    assert (program.slots, program.gpus, program.gpus_per_trial) == (2, ("0", "1"), 0.5)
    assert (program.time_s, program.memory_bytes, program.grace_s) == (
        600,
        4 * 10**9,
        5,
    )
    assert program.function == "train.py:train"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "trials: 8",
            "trails: 8",
            "line 7: trails: no such key: did you mean 'trials'",
        ),
        ("trials: 8\n", "", "the key 'trials' is missing"),
        ("trials: 8", "trials: -1", "line 7: trials is a whole number from 1"),
        ("trials: 8", "trials: 1e2", "line 7: trials is a whole number"),
        ("goal: Is Adam better than SGD?", "goal:", "'goal' is missing"),
        (
            "1e-4..1e-1:log",
            "1e-1..1e-4:log",
            "line 6: space.lr: Float needs low <= high",
        ),
        ("1e-4..1e-1:log", "0.1", "line 6: space.lr: 0.1 is one value: write it under"),
        (
            "1e-4..1e-1:log",
            "{flaot: [0, 1]}",
            "needs one of float, int, choice: did you",
        ),
        ("1e-4..1e-1:log", "{float: [0, 1], belief: 2}", "space.lr: the center of a"),
        ("1e-4..1e-1:log", "{int: [1, 3], belief: {}}", "belief: needs a center"),
        ("1e-4..1e-1:log", "{int: [1, 3], blief: 2}", "did you mean 'belief'"),
        (
            "1e-4..1e-1:log",
            "{float: [0, 1], belief: {centre: 1}}",
            "belief.centre: no such key: did you mean 'center'",
        ),
        ("trials: 8", "constraints: [ms < 3]\ntrials: 8", "line 7: .*'ms < 3'"),
        ("trials: 8", "guards: [ms < 3]\ntrials: 8", "line 7: guards: .*'ms < 3'"),
        ("trials: 8", "trials: 8\nlearn_from: [digits]", "cannot learn from itself"),
        ("1e-4..1e-1:log", "{float: [0]}", "float needs .low, high."),
        ("1e-4..1e-1:log", "{float: [0, 1], lgo: true}", "did you mean 'log'"),
        ("1e-4..1e-1:log", "{float: [0, 1], log: 1}", "is true or false, got 1"),
        ("1e-4..1e-1:log", "[[1]]", "a value must be text, a number"),
        ("  lr: 1e-4..1e-1:log", "  0.5: a|b", "a name is text: put it in quotes"),
        ("metric: val_error", "metric: {nme: x}", "needs a name, or"),
        ("metric: val_error", "metric: {name: x, goal: mni}", "did you mean 'min'"),
        ("metric: val_error", "metric: {name: x, at: end}", "'best' or 'last'"),
        ("trials: 8", "trials: 8\nslots: 0", "line 8: slots: is a whole number from 1"),
        (
            "trials: 8",
            "trials: 8\nlimits: {tme: 1}",
            "limits.tme: no such key: did you",
        ),
        (
            "trials: 8",
            "trials: 8\nlimits: {time: soon}",
            "is not a duration: write 90s",
        ),
        ("trials: 8", "trials: 8\nlimits: {memory: big}", "is not a size"),
        (
            "trials: 8",
            "trials: 8\nfixed: {lr: 0.1}",
            "both fixed and in the search space",
        ),
        ("trials: 8", "trials: 8\nscientific: [lrr]", "line 8: .*did you mean 'lr'"),
        (
            "trials: 8",
            "trials: 8\nbaseline: {lr: 5}",
            "line 8: baseline: lr: 5 is not in",
        ),
        ("trials: 8", "trials: 8\nfunction: a.py:b", "there is a command as well"),
        ("trials: 8", "trials: 8\npattern: '('", "is no regular expression"),
        ("trials: 8", "trials: 8\ngpus_per_trial: 0", "is a number above 0"),
        ("trials: 8", "trials: 8\nseed: -3", "a seed is a whole number from 0"),
        ("trials: 8", "trials: 8\nsampler: randm", "line 8: sampler: .*random"),
        (
            "trials: 8",
            "trials: 8\nsampler: {name: random, x: 1}",
            "no setting 'x' of random",
        ),
        ("command: python train.py {args}", "command: 'a \"b'", "No closing quotation"),
    ],
)
def test_an_error_names_line_and_key_and_what_to_do(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert old in PLAIN
    with pytest.raises(DanluError, match=says):
        loaded(tmp_path, PLAIN.replace(old, new))


def test_a_study_may_be_stated_in_toml(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(
        '[tool.danlu]\nstudy = "t"\ngoal = "Why?"\nmetric = "loss"\ntrials = 3\n'
        '[tool.danlu.space]\nlr = "1e-4..1e-1:log"\nopt = ["sgd", "adam"]\n'
    )
    assert load(path).study.search_space.domains["opt"] == Choice(["sgd", "adam"])


def test_a_method_may_be_given_settings(tmp_path: Path) -> None:
    text = PLAIN + "scheduler: {name: median, min_steps: 3}\n"
    assert loaded(tmp_path, text).study.scheduler != "median"


def test_a_recipe_names_the_sampler_and_the_scheduler(tmp_path: Path) -> None:
    study = loaded(tmp_path, PLAIN + "recipe: bohb\nmax_steps: 9\n").study
    assert (study.sampler, study.scheduler) == ("tpe", "hyperband")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("recipe: bohb\nscheduler: full\n", "is also said by the recipe 'bohb'"),
        ("recipe: bobh\n", "no recipe 'bobh'"),
    ],
)
def test_a_faulty_recipe_is_named(tmp_path: Path, said: str, expected: str) -> None:
    with pytest.raises(DanluError, match=expected):
        loaded(tmp_path, PLAIN + said)
