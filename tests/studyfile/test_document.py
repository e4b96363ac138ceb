from __future__ import annotations

from pathlib import Path

import pytest

from danlu.errors import StudyError
from danlu.studyfile import read


def write(folder: Path, text: str, name: str = "study.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_yaml_numbers_and_words_are_what_they_look_like(tmp_path: Path) -> None:
    text = (
        "a: 1e-4\nb: no\nc: 1:30\nd: 012\ne: .5\nf: true\ng: ~\nh: 2020-01-01\ni: 1.\n"
    )
    said = read(write(tmp_path, text)).content
    expected = {
        "a": 1e-4, "b": "no", "c": "1:30", "d": 12, "e": 0.5, "f": True, "g": None,
        "h": "2020-01-01", "i": 1.0,
    }  # fmt: skip
    assert said == expected


def test_every_key_knows_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a: 1\n\nb:\n  c: 2\n")
    document = read(path)
    assert document.origin(("b", "c")) == f"{path}, line 4"
    assert document.origin(("b", "missing")) == f"{path}, line 3"


def test_a_key_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"line 2: 'a' stands twice"):
        read(write(tmp_path, "a: 1\na: 2\n"))


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"study.yaml, line 2: not valid YAML"):
        read(write(tmp_path, "a: 1\nb: [1, 2}\n"))


def test_merge_keys_are_taken_in(tmp_path: Path) -> None:
    text = "base: &base {x: 1, y: 2}\nmine:\n  <<: *base\n  y: 3\n"
    assert read(write(tmp_path, text)).get("mine") == {"x": 1, "y": 3}


def test_a_tag_that_would_build_an_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="has no meaning here"):
        read(write(tmp_path, "a: !!python/name:os.system x\n"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("- a\n- b\n", "`key: value` lines"),
        ("? [a]\n: b\n", "a key is one word"),
        ("a: &x [*x]\n", "line 1: an alias stands inside what it stands for"),
    ],
)
def test_what_is_no_study_file_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(StudyError, match=says):
        read(write(tmp_path, text))


def test_a_missing_file_is_a_plain_sentence(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"cannot read the study file .*No such file"):
        read(tmp_path / "study.yaml")


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudyError, match="not a text file"):
        read(path)


def test_toml_knows_its_lines(tmp_path: Path) -> None:
    path = write(tmp_path, 'trials = 3\n[space]\nlr = "x"\n', "study.toml")
    document = read(path)
    assert document.get("space", "lr") == "x"
    assert document.origin(("space", "lr")) == f"{path}, line 3"


def test_pyproject_holds_a_study_under_tool_danlu(tmp_path: Path) -> None:
    text = (
        '[project]\nname = "x"\n[tool.danlu]\ntrials = 3\n[tool.danlu.space]\nlr = 1\n'
    )
    path = write(tmp_path, text, "pyproject.toml")
    document = read(path)
    assert document.content == {"trials": 3, "space": {"lr": 1}}
    assert document.origin(("space", "lr")) == f"{path}, line 6"


def test_a_pyproject_without_a_study_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, '[project]\nname = "x"\n', "pyproject.toml")
    with pytest.raises(StudyError, match=r"no \[tool.danlu\]"):
        read(path)


def test_a_value_put_over_another_hides_what_was_below(tmp_path: Path) -> None:
    document = read(write(tmp_path, "space:\n  lr: {float: [0, 1]}\n"))
    changed = document.put(("space", "lr"), "0.0..2.0", "--set space.lr")
    assert changed.get("space", "lr") == "0.0..2.0"
    assert changed.origin(("space", "lr", "float")) == "--set space.lr"
