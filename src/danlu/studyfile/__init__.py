"""The study file: what a user writes to state a study, in YAML, TOML or JSON.

    study: digits
    goal: Is Adam better than SGD on digits?
    command: python train.py {args}
    metric: val_error
    space:
      lr: 1e-4..1e-1:log
      optimizer: sgd|adam
    trials: 32

`docs/study-file.md` explains every key; `study.schema.json` beside this file is its
JSON schema, for editors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .build import StudyFile, build
from .document import Document, read, read_value
from .domains import domain, domain_text
from .function import is_reference
from .keys import DEFAULTS, KEYS
from .program import Program, read_program, write_program
from .write import study_text, value_text

__all__ = [
    "DEFAULTS",
    "KEYS",
    "Document",
    "Program",
    "StudyFile",
    "build",
    "domain",
    "domain_text",
    "is_reference",
    "load",
    "read",
    "read_program",
    "read_value",
    "schema",
    "study_text",
    "value_text",
    "write_program",
]


def load(path: str | Path) -> StudyFile:
    """The study of a study file, and how its trials are started.

    >>> import danlu, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "study.yaml")
    >>> _ = path.write_text('''
    ... study: digits
    ... goal: Which learning rate is best?
    ... command: python train.py {args}
    ... metric: val_error
    ... space: {lr: "1e-4..1e-1:log"}
    ... trials: 20
    ... ''')
    >>> file = danlu.load(path)
    >>> file.study.name, file.program.text
    ('digits', "python train.py '{args}'")

    Raises:
        StudyError, SpaceError: the file is faulty; the message names line and key.
    """
    path = Path(path)
    return build(read(path), path.parent)


def schema() -> dict[str, Any]:
    """The JSON schema of a study file.

    >>> schema()["title"]
    'danlu study file'
    """
    text = (Path(__file__).parent / "study.schema.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document
