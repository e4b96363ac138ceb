from __future__ import annotations

import ast
from pathlib import Path

import pytest

from danlu import presets
from danlu.cli.from_argparse import Argument, guess
from danlu.cli.init import starter
from danlu.studyfile import load, read

from .conftest import Danlu

ROOT = Path(__file__).parents[2]
SCRIPT = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("data")
parser.add_argument("--lr", type=float, default=0.01)
parser.add_argument("--weight-decay", "--wd", type=float, default=0)
parser.add_argument("-o", "--opt", choices=["sgd", "adam"], default="sgd")
parser.add_argument("--hidden-dim", type=int, default=64)
parser.add_argument("--layers", type=int, default=2)
parser.add_argument("--dropout", type=float, default=0.1)
parser.add_argument("--momentum", type=float, default=0.9)
parser.add_argument("--epochs", type=int, default=12)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--amp", action="store_true")
parser.add_argument("--when", default=make_default())
"""


def test_a_study_file_is_written_and_is_valid(danlu: Danlu, tmp_path: Path) -> None:
    said = danlu("init")
    assert said.code == 0
    assert said.out == "wrote study.yaml\n"
    assert load(tmp_path / "study.yaml").study.name == "first"


def test_nothing_is_overwritten(danlu: Danlu, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("mine")
    said = danlu("init")
    assert said.code == 2
    assert "is there already and stays as it is" in said.err
    assert (tmp_path / "study.yaml").read_text() == "mine"


def test_an_example_is_written_whole_or_not_at_all(
    danlu: Danlu, tmp_path: Path
) -> None:
    (tmp_path / "train.sh").write_text("mine")
    assert danlu("init", "--example", "bash").code == 2
    assert not (tmp_path / "study.yaml").exists()


def test_a_wrong_example_gets_a_suggestion(danlu: Danlu) -> None:
    said = danlu("init", "--example", "bsh")
    assert said.code == 2
    assert "did you mean 'bash'?" in said.err


@pytest.mark.parametrize("name", ["bash", "python"])
def test_an_example_runs(danlu: Danlu, tmp_path: Path, name: str) -> None:
    assert danlu("init", "--example", name).code == 0
    assert danlu("check").code == 0
    said = danlu("run", "-q", "--trials", 4)
    assert said.code == 0
    assert "4/4 trials" in said.out


@pytest.mark.parametrize("name", ["bash", "python"])
def test_the_examples_of_the_repository_are_the_starters(name: str) -> None:
    for file, text in starter(name).items():
        assert (ROOT / "examples" / name / file).read_text() == text


def test_options_of_a_script_become_a_space(danlu: Danlu, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    said = danlu("init", "--from-argparse", "train.py")
    assert said.code == 0
    assert "found 11 options, 7 look tunable" in said.err
    document = read(tmp_path / "study.yaml")
    expected = {
        "lr": "0.0001..1.0:log", "weight-decay": "1e-6..1e-2:log",
        "opt": ["sgd", "adam"], "hidden-dim": "16..256:log", "layers": "1..8",
        "dropout": "0.0..0.5", "momentum": "0.5..0.999",
    }  # fmt: skip
    assert document.get("space") == expected
    assert document.get("max_steps") == 12
    assert document.get("command") == (
        "python train.py --lr {lr} --weight-decay {weight-decay} --opt {opt} "
        "--hidden-dim {hidden-dim} --layers {layers} --dropout {dropout} "
        "--momentum {momentum} --epochs {budget} --seed {seed}"
    )
    assert load(tmp_path / "study.yaml").study.trials == 32


def test_guesses_are_marked(danlu: Danlu, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    danlu("init", "--from-argparse", "train.py")
    lines = (tmp_path / "study.yaml").read_text().splitlines()
    assert "  lr: 0.0001..1.0:log   # check: was 0.01" in lines


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot read"),
        ("def f(:\n", "line 1"),
        ("print(3)\n", "no add_argument call in"),
    ],
)
def test_a_script_that_gives_nothing_says_why(
    danlu: Danlu, tmp_path: Path, text: str | None, says: str
) -> None:
    if text is not None:
        (tmp_path / "train.py").write_text(text)
    said = danlu("init", "--from-argparse", "train.py")
    assert said.code == 2
    assert says in said.err
    assert not (tmp_path / "study.yaml").exists()


@pytest.mark.parametrize(
    ("default", "expected"),
    [
        ("0.1", "0.001..10.0:log"),
        ("3e-4", "1e-06..0.01:log"),
        ("0", "1e-6..1e-2:log"),
        ("'auto'", None),
        ("None", None),
        ("True", None),
    ],
)
def test_the_range_of_a_rate_is_two_decades_to_either_side(
    default: str, expected: str | None
) -> None:
    value = ast.literal_eval(default)
    guessed = guess(Argument("lr", "float", value, (), is_flag=False))
    assert (guessed and guessed.split("   #")[0]) == expected


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_is_written_with_its_reasons(
    danlu: Danlu, tmp_path: Path, name: str
) -> None:
    assert danlu("init", "--preset", name).code == 0
    study = load(tmp_path / "study.yaml").study
    assert study.space == presets.preset(name, study.trials).space
    text = (tmp_path / "study.yaml").read_text()
    assert "# the most important one" in text
    assert all(len(line) <= 88 for line in text.splitlines())


def test_the_whole_preset_is_there_when_it_is_uncommented(
    danlu: Danlu, tmp_path: Path
) -> None:
    danlu("init", "--preset", "cnn")
    path = tmp_path / "study.yaml"
    lines = path.read_text().replace("  # dropout: ", "  dropout: ")
    path.write_text(lines)
    assert "dropout" in load(path).study.search_space.domains


def test_the_presets_are_listed(danlu: Danlu, tmp_path: Path) -> None:
    said = danlu("init", "--presets")
    assert [line.split()[0] for line in said.out.splitlines()[1:]] == [*presets.names()]
    assert not (tmp_path / "study.yaml").exists()


def test_a_wrong_preset_gets_a_suggestion(danlu: Danlu) -> None:
    said = danlu("init", "--preset", "cn")
    assert said.code == 2
    assert "did you mean 'cnn'?" in said.err
