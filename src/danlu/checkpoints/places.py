"""Where checkpoints are kept: a folder, or a place that fsspec knows.

A checkpoint has an entry beside it, which says which bytes it consists of.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

NAME = re.compile(r"(\d{6,})-step-(\d+)")
PARTIAL = "saving-"  # torch.save refuses names that begin with a dot
_CHUNK_BYTES = 1 << 20
# What says that a file is not there. Any other error may be gone at the next look, and
# nothing is to be taken for damaged, or removed, because of it.
NOT_THERE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


@dataclass(frozen=True)
class Entry:
    """What stands beside a checkpoint: each of its files with size and SHA-256."""

    name: str
    order: int
    step: int
    metric: float | None
    files: Mapping[str, list[int | str]] = field(default_factory=dict)

    def text(self, files: Mapping[str, list[int | str]]) -> str:
        """The entry with these files, as it is written down."""
        facts = {**asdict(self), "files": dict(files)}
        return json.dumps({"format": 1, **facts}, indent=1) + "\n"


def order_of(name: str) -> int:
    """The how-many-eth checkpoint bears this name; 0 for what is none."""
    found = NAME.match(name)
    return int(found[1]) if found else 0


def entry_of(name: str, text: bytes | None) -> Entry | None:
    """The entry as it was written down, None where it cannot be read."""
    try:
        facts: Any = json.loads(text or b"")
        metric = facts["metric"]
        return Entry(
            name,
            int(facts["order"]),
            int(facts["step"]),
            None if metric is None else float(metric),
            {str(path): list(own) for path, own in facts["files"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


class Place(ABC):
    """Where checkpoints are kept."""

    @abstractmethod
    def names(self) -> list[str]:
        """What is there; nothing where the place is not there yet."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """The content of a file, None where there is none."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Writes a small file."""

    @abstractmethod
    def add(self, entry: Entry, write: Callable[[Path], object]) -> str:
        """Where the checkpoint is, once all of it is there, and its entry."""

    @abstractmethod
    def get(self, entry: Entry) -> Path | None:
        """A local path with the very bytes that were saved, None if it has others."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Removes a file or a folder, if it is there."""

    @abstractmethod
    def copy_to(self, other: str, without: Collection[str] = ()) -> bool:
        """Whether there was anything to copy to `other`, a place of the same kind.

        Nothing may write here meanwhile. What is half saved, and the names `without`,
        are left out.
        """

    @abstractmethod
    def sizes(self) -> Iterator[int]:
        """The bytes of every file."""

    @abstractmethod
    def clear(self) -> None:
        """Removes the place with all that is in it.

        Raises:
            OSError: something cannot be removed.
        """


class _Folder(Place):
    """A local folder, or a shared one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        try:
            return os.listdir(self._folder)
        except FileNotFoundError:
            return []

    def read(self, name: str) -> bytes | None:
        with suppress(*NOT_THERE):
            return (self._folder / name).read_bytes()
        return None

    def write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / name).write_bytes(content)

    def add(self, entry: Entry, write: Callable[[Path], object]) -> str:
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f"{PARTIAL}{entry.name}"
        note = self._folder / f"{PARTIAL}{entry.name}.json"
        try:
            files = _written(write, partial)
            _sync(partial)
            note.write_text(entry.text(files), encoding="utf-8")
            _sync(note)
            os.rename(partial, self._folder / entry.name)
            os.rename(note, self._folder / f"{entry.name}.json")
        except BaseException:
            self.remove(partial.name)
            self.remove(note.name)
            raise
        _sync_one(self._folder)
        return str(self._folder / entry.name)

    def get(self, entry: Entry) -> Path | None:
        path = self._folder / entry.name
        with suppress(*NOT_THERE):
            if _contents(path) == entry.files:
                return path
        return None

    def remove(self, name: str) -> None:
        _remove(self._folder / name)

    def copy_to(self, other: str, without: Collection[str] = ()) -> bool:
        target = Path(other.removeprefix("file://"))
        target.mkdir(parents=True, exist_ok=True)
        names = _copied_names(self.names(), without)
        for name in names:
            partial = target / f"{PARTIAL}{name}"
            _copy(self._folder / name, partial)
            _sync(partial)
            os.rename(partial, target / name)
        _sync_one(target)
        return bool(names)

    def sizes(self) -> Iterator[int]:
        yield from disk_sizes(self._folder)

    def clear(self) -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(self._folder)


class _Remote(Place):
    """A place that fsspec knows; checkpoints are written and read through a copy."""

    def __init__(self, url: str) -> None:
        import fsspec

        self._url = url.rstrip("/")
        self._files, self._root = fsspec.core.url_to_fs(self._url)

    @cached_property
    def _copies(self) -> Path:
        copies = Path(tempfile.mkdtemp(prefix="danlu-checkpoints-"))
        # Not before the end: a program may load a copy after letting go of this.
        atexit.register(shutil.rmtree, copies, ignore_errors=True)
        return copies

    def names(self) -> list[str]:
        self._files.invalidate_cache()
        try:
            found = self._files.ls(self._root, detail=False)
        except FileNotFoundError:
            return []
        return [path.rstrip("/").rpartition("/")[2] for path in found]

    def read(self, name: str) -> bytes | None:
        with suppress(*NOT_THERE):
            return bytes(self._files.cat_file(f"{self._root}/{name}"))
        return None

    def write(self, name: str, content: bytes) -> None:
        self._make(self._root)
        self._files.pipe_file(f"{self._root}/{name}", content)

    def add(self, entry: Entry, write: Callable[[Path], object]) -> str:
        copy = self._copies / entry.name
        try:
            files = _written(write, copy)
            for path in files:
                target = f"{self._root}/{entry.name}{_below(path)}"
                self._make(target.rpartition("/")[0])
                self._files.put_file(str(copy / path), target)
            text = entry.text(files).encode()
            self._files.pipe_file(f"{self._root}/{entry.name}.json", text)
        finally:
            _remove(copy)
        return f"{self._url}/{entry.name}"

    def get(self, entry: Entry) -> Path | None:
        copy = self._copies / entry.name
        _remove(copy)
        with suppress(*NOT_THERE):
            for path in entry.files:
                local = copy / path
                local.parent.mkdir(parents=True, exist_ok=True)
                source = f"{self._root}/{entry.name}{_below(path)}"
                self._files.get_file(source, str(local))
            if _contents(copy) == entry.files:
                return copy
        return None

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._files.rm(f"{self._root}/{name}", recursive=True)

    def copy_to(self, other: str, without: Collection[str] = ()) -> bool:
        target = self._files._strip_protocol(other.rstrip("/"))
        names = _copied_names(self.names(), without)
        for name in names:
            for path in self._files.find(f"{self._root}/{name}"):
                copy = f"{target}{path.removeprefix(self._root)}"
                self._make(copy.rpartition("/")[0])
                self._files.cp_file(path, copy)
        return bool(names)

    def _make(self, folder: str) -> None:
        """Makes a folder, but no bucket: a name that is not there is mistyped."""
        bucket = folder.partition("/")[0]  # empty where paths begin with a slash
        if bucket and not self._files.exists(bucket):
            raise FileNotFoundError(f"there is no bucket {bucket!r}")
        self._files.makedirs(folder, exist_ok=True)

    def sizes(self) -> Iterator[int]:
        self._files.invalidate_cache()
        for _, _, files in self._files.walk(self._root, detail=True):
            yield from (facts.get("size") or 0 for facts in files.values())

    def clear(self) -> None:
        self._files.invalidate_cache()
        with suppress(FileNotFoundError):
            self._files.rm(self._root, recursive=True)


def place_of(folder: str) -> Place:
    """The place that a local folder or a URL names.

    Raises:
        ImportError, ValueError: what the URL needs is not installed, or not known.
    """
    if folder.startswith("file://"):
        return _Folder(Path(folder.removeprefix("file://")))
    return _Remote(folder) if "://" in folder else _Folder(Path(folder))


def disk_sizes(folder: Path) -> Iterator[int]:
    """What each file below a folder takes on the disk; what disappears is left out."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from disk_sizes(Path(entry.path))
            continue
        with suppress(OSError):
            facts = entry.stat(follow_symlinks=False)
            yield getattr(facts, "st_blocks", 0) * 512 or facts.st_size


def _copied_names(names: list[str], without: Collection[str]) -> list[str]:
    """What is copied, in order: checkpoints before the entries that make them count."""
    kept = [n for n in names if n not in without and not n.startswith(PARTIAL)]
    return sorted(kept, key=lambda name: (name.endswith(".json"), name))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _written(write: Callable[[Path], object], path: Path) -> dict[str, list[int | str]]:
    """What `write` has written, file by file."""
    _remove(path)
    write(path)
    try:
        return _contents(path)
    except FileNotFoundError:
        raise ValueError(
            f"write(path) left nothing at {path}: write a file of exactly that name, "
            "or make a folder of it"
        ) from None


def _contents(path: Path) -> dict[str, list[int | str]]:
    """Every file with its size and SHA-256; a single file has the name `.`."""
    if not path.is_dir():
        return {".": _facts(path)}
    return {
        inner.relative_to(path).as_posix(): _facts(inner)
        for inner in sorted(path.rglob("*"))
        if not inner.is_dir()
    }


def _facts(path: Path) -> list[int | str]:
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return [size, digest.hexdigest()]


def _below(path: str) -> str:
    return "" if path == "." else f"/{path}"


def _sync(path: Path) -> None:
    """Has the disk hold a file, or a folder with all that is in it."""
    if path.is_dir():
        for inner in path.rglob("*"):
            if not inner.is_symlink():
                _sync_one(inner)
    if not path.is_symlink():
        _sync_one(path)


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            path.unlink()
