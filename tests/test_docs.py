from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from danlu.cli import COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELLS = ("console", "bash", "sh", "shell")
NOT_RUN = "<!-- not run"  # on the line before a block that is only to be read
FENCE = re.compile(r"^(?P<before>[^\n]*)\n+```(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^```$")
BLOCK = re.compile(FENCE.pattern, re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)(?P<target>[^)#\s]+)")


@dataclass(frozen=True)
class Block:
    kind: str
    text: str
    line: int
    run: bool


def blocks(page: Path) -> Iterator[Block]:
    content = "\n" + page.read_text("utf-8")
    for found in BLOCK.finditer(content):
        line = content[: found.start("text")].count("\n")
        run = NOT_RUN not in found["before"]
        yield Block(found["kind"], found["text"], line, run)


def prompted(text: str) -> Iterator[str]:
    """The commands of a block: the lines after `$ `, or all where no line has one."""
    lines = text.replace("\\\n", " ").splitlines()
    with_prompt = [line[2:] for line in lines if line.startswith("$ ")]
    yield from with_prompt or lines


def verbs(page: Path) -> Iterator[tuple[int, str]]:
    """What stands after `danlu` in a page's commands, with the line of its block."""
    for block in blocks(page):
        if block.kind not in SHELLS:
            continue
        for command in prompted(block.text):
            tokens = shlex.split(command, comments=True)
            if tokens[:1] == ["danlu"] and len(tokens) > 1:
                yield block.line, tokens[1]


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


every_page = pytest.mark.parametrize("page", PAGES, ids=names(PAGES))


@every_page
def test_the_python_blocks_of_a_page_run_in_order(page: Path, tmp_path: Path) -> None:
    code = [b.text for b in blocks(page) if b.kind == "python" and b.run]
    script = tmp_path / "page.py"
    script.write_text("\n".join(code), "utf-8")

    ended = subprocess.run(
        [sys.executable, "-W", "error", script.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr[-4000:]


@every_page
def test_the_commands_of_a_page_exist(page: Path) -> None:
    used = [(line, verb) for line, verb in verbs(page) if not verb.startswith("-")]

    unknown = [f"line {at}: danlu {verb}" for at, verb in used if verb not in COMMANDS]

    assert [] == unknown


@every_page
def test_the_json_yaml_and_toml_of_a_page_can_be_read(page: Path) -> None:
    readers: dict[str, Callable[[str], object]] = {
        "json": json.loads,
        "yaml": yaml.safe_load,
        "toml": tomllib.loads,
    }

    for block in blocks(page):
        if block.kind in readers and block.run:
            readers[block.kind](block.text)


@every_page
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    targets = [found["target"] for found in LINK.finditer(page.read_text("utf-8"))]

    missing = [target for target in targets if not (page.parent / target).exists()]

    assert [] == missing
