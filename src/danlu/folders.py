"""Where a project keeps its trials' files."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import weakref
from pathlib import Path

DATABASES = (".db", ".sqlite", ".sqlite3", "")
LAUNCH = "launch.json"  # in a study's folder: how its trials are started
_MOST_BYTES = 200  # file systems take 255 for a name


def folder_beside(url: str) -> Path:
    """The folder for the trials of the database `url`: beside it, new for `:memory:`.

    With a database server it is `.danlu` in the current folder: share it between the
    machines, and a trial can go on from its checkpoint on any of them.

    >>> folder_beside("/data/tuning.db").as_posix()
    '/data/tuning.trials'
    """
    if is_in_memory(url):
        return Path(tempfile.mkdtemp(prefix="danlu-"))
    if "://" in url and not url.startswith("sqlite:"):
        return Path(".danlu").absolute()
    path = Path(url.removeprefix("sqlite:///")).absolute()
    own = path.parent.name == ".danlu"
    if own:
        return path.parent
    is_usual = path.suffix in DATABASES  # exp.1 and exp.2 have folders of their own
    return path.with_name(f"{path.stem if is_usual else path.name}.trials")


def is_in_memory(url: str) -> bool:
    """Whether the database `url` is gone once its project is."""
    return url in (":memory:", "sqlite://")


def forget_with(owner: object, folder: Path) -> None:
    """Removes the folder once the owner is gone, at the latest when the process ends.

    Not at the end of a process that was forked from it.
    """
    weakref.finalize(owner, _forget, folder, os.getpid())


def folder_name(study: str) -> str:
    """A study's name as the name of a folder, safe on every file system.

    >>> folder_name("digits/mlp"), folder_name("..")
    ('digits%2Fmlp', '%2E.')
    """
    kept = [c if c.isalnum() or c in "-_. " else _escaped(c) for c in study]
    if study[0] in ". " or ".db" in study:  # the database may be in the same folder
        kept[0] = _escaped(study[0])
    name = "".join(kept)
    if len(name.encode()) <= _MOST_BYTES:
        return name
    digest = hashlib.sha256(study.encode()).hexdigest()[:16]
    return f"{study[:20] if study[:20].isalnum() else ''}-{digest}"


def last_sign_s(folder: Path) -> float | None:
    """When something in a trial's folder was last written, None if there is nothing.

    >>> last_sign_s(Path("/no/such/folder")) is None
    True
    """
    try:
        return max((entry.stat().st_mtime for entry in folder.iterdir()), default=None)
    except OSError:
        return None


def _forget(folder: Path, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())
