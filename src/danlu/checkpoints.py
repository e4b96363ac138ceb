"""Checkpoints of a training program, whole or not there; standard library only.

    saved = trial.checkpoints.latest()
    if saved is not None:
        state = torch.load(saved.path)
    ...
    trial.checkpoints.save(epoch, lambda path: torch.save(state, path))

A checkpoint `000007-step-12` is a file or a folder, and counts once a file beside it,
`000007-step-12.json`, says which bytes it consists of. That one is written last.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_NAME = re.compile(r"(\d{6,})-step-(\d+)")
_PARTIAL = "saving-"  # torch.save refuses names that begin with a dot
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Saved:
    """A checkpoint that is whole: its step, the metric there, and where it is.

    >>> from danlu import checkpoints
    >>> checkpoints.Saved(3, Path("checkpoint/000001-step-3"), metric=0.31).step
    3
    """

    step: int
    path: Path
    metric: float | None = None


class Checkpoints:
    """The checkpoints in a folder: the last ones, and the best ones by a metric.

    `folder` is a local one, or a URL that fsspec knows, such as `s3://bucket/name`.
    The last `keep_last` are kept, and the `keep_best` with the smallest metric (with
    `maximize` the largest). One program writes to a folder at a time.

    >>> import tempfile
    >>> from danlu import checkpoints
    >>> kept = checkpoints.Checkpoints(tempfile.mkdtemp(), keep_last=2)
    >>> for step in (1, 2, 3):
    ...     _ = kept.save(step, lambda path: path.write_text("weights"))
    >>> kept.steps(), kept.latest().path.read_text()
    ([2, 3], 'weights')

    Raises:
        ValueError: a setting is impossible.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        keep_last: int = 1,
        keep_best: int = 0,
        maximize: bool = False,
    ) -> None:
        if keep_last < 1 or keep_best < 0:
            raise ValueError(
                "keep_last is at least 1 and keep_best at least 0, got "
                f"keep_last={keep_last}, keep_best={keep_best}"
            )
        self._place = _place_of(os.fspath(folder))
        self._keep_last = keep_last
        self._keep_best = keep_best
        self._sign = -1.0 if maximize else 1.0
        self._damaged: set[str] = set()
        self._swept = False

    def save(
        self,
        step: int,
        write: Callable[[Path], object],
        metric: float | None = None,
    ) -> str:
        """Where the new checkpoint is, after `write(path)` wrote a file or a folder.

        It counts from now on, whatever happens to this machine; before, nothing counts
        that is not whole. What need not be kept is removed afterwards.

        Raises:
            ValueError: `step` is no whole number from 0, or `write` left nothing.
            OSError: the disk is full, or the place is gone; earlier ones are untouched.
        """
        if type(step) is not int or step < 0:
            raise ValueError(f"a checkpoint's step is a whole number, got {step!r}")
        self._sweep()
        before = self._entries()
        order = 1 + max(map(_order, self._place.names()), default=0)
        value = None if metric is None else float(metric)
        entry = _Entry(f"{order:06d}-step-{step}", order, step, value)
        where = self._place.add(entry, write)
        self._prune([*before, entry])
        return where

    def latest(self) -> Saved | None:
        """The checkpoint saved last; one that is damaged is passed over."""
        return self._first_whole(reversed(self._entries()))

    def best(self) -> Saved | None:
        """The checkpoint with the best metric; one that is damaged is passed over."""
        return self._first_whole(self._by_metric(self._entries()))

    def steps(self) -> list[int]:
        """The steps of all checkpoints, in the order in which they were saved."""
        return [entry.step for entry in self._entries()]

    def _entries(self) -> list[_Entry]:
        """What is there, in the order of saving; an entry that is unreadable is not."""
        found: list[_Entry] = []
        for name in self._place.names():
            stem = name.removesuffix(".json")
            if stem != name and _NAME.fullmatch(stem):
                entry = _entry_of(stem, self._place.read(name))
                found += [] if entry is None else [entry]
        return sorted(found, key=lambda entry: entry.order)

    def _first_whole(self, entries: Iterable[_Entry]) -> Saved | None:
        for entry in entries:
            path = self._place.get(entry)
            if path is not None:
                return Saved(entry.step, path, entry.metric)
            self._damaged.add(entry.name)
        return None

    def _by_metric(self, entries: Iterable[_Entry]) -> list[_Entry]:
        def loss(entry: _Entry) -> tuple[float, int]:
            return self._sign * (entry.metric or 0.0), entry.order

        measured = [
            entry
            for entry in entries
            if entry.metric is not None and not math.isnan(entry.metric)
        ]
        return sorted(measured, key=loss)

    def _prune(self, entries: list[_Entry]) -> None:
        """Removes what is neither among the last nor among the best."""
        whole = [entry for entry in entries if entry.name not in self._damaged]
        kept = {entry.name for entry in whole[-self._keep_last :]}
        kept |= {entry.name for entry in self._by_metric(whole)[: self._keep_best]}
        for entry in entries:
            if entry.name not in kept:
                self._place.remove(f"{entry.name}.json")
                self._place.remove(entry.name)

    def _sweep(self) -> None:
        """Removes what earlier programs began to save and never finished."""
        if self._swept:
            return
        self._swept = True
        whole = {entry.name for entry in self._entries()}
        for name in self._place.names():
            stem = name.removesuffix(".json")
            left_over = _NAME.fullmatch(stem) and stem not in whole
            if left_over or name.startswith(_PARTIAL):
                self._place.remove(name)


@dataclass(frozen=True)
class _Entry:
    """What stands beside a checkpoint: each of its files with size and SHA-256."""

    name: str
    order: int
    step: int
    metric: float | None
    files: Mapping[str, list[int | str]] = field(default_factory=dict)

    def text(self, files: Mapping[str, list[int | str]]) -> str:
        facts = {**asdict(self), "files": dict(files)}
        return json.dumps({"format": 1, **facts}, indent=1) + "\n"


def _order(name: str) -> int:
    found = _NAME.match(name)
    return int(found[1]) if found else 0


def _entry_of(name: str, text: bytes | None) -> _Entry | None:
    try:
        facts: Any = json.loads(text or b"")
        metric = facts["metric"]
        return _Entry(
            name,
            int(facts["order"]),
            int(facts["step"]),
            None if metric is None else float(metric),
            {str(path): list(own) for path, own in facts["files"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


class _Place(ABC):
    """Where checkpoints are kept."""

    @abstractmethod
    def names(self) -> list[str]: ...

    @abstractmethod
    def read(self, name: str) -> bytes | None: ...

    @abstractmethod
    def add(self, entry: _Entry, write: Callable[[Path], object]) -> str: ...

    @abstractmethod
    def get(self, entry: _Entry) -> Path | None:
        """A local path with the very bytes that were saved, None if it has others."""

    @abstractmethod
    def remove(self, name: str) -> None: ...


class _Folder(_Place):
    """A local folder, or a shared one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        try:
            return os.listdir(self._folder)
        except FileNotFoundError:
            return []

    def read(self, name: str) -> bytes | None:
        with suppress(OSError):
            return (self._folder / name).read_bytes()
        return None

    def add(self, entry: _Entry, write: Callable[[Path], object]) -> str:
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f"{_PARTIAL}{entry.name}"
        note = self._folder / f"{_PARTIAL}{entry.name}.json"
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

    def get(self, entry: _Entry) -> Path | None:
        path = self._folder / entry.name
        with suppress(OSError):
            if _contents(path) == entry.files:
                return path
        return None

    def remove(self, name: str) -> None:
        _remove(self._folder / name)


class _Remote(_Place):
    """A place that fsspec knows; checkpoints are written and read through a copy."""

    def __init__(self, url: str) -> None:
        import fsspec

        self._url = url.rstrip("/")
        self._files, self._root = fsspec.core.url_to_fs(self._url)
        self._copies = Path(tempfile.mkdtemp(prefix="danlu-checkpoints-"))
        # Not before the end: a program may load a copy after letting go of this.
        atexit.register(shutil.rmtree, self._copies, ignore_errors=True)

    def names(self) -> list[str]:
        self._files.invalidate_cache()
        try:
            found = self._files.ls(self._root, detail=False)
        except FileNotFoundError:
            return []
        return [path.rstrip("/").rpartition("/")[2] for path in found]

    def read(self, name: str) -> bytes | None:
        with suppress(OSError):
            return bytes(self._files.cat_file(f"{self._root}/{name}"))
        return None

    def add(self, entry: _Entry, write: Callable[[Path], object]) -> str:
        copy = self._copies / entry.name
        try:
            files = _written(write, copy)
            for path in files:
                target = f"{self._root}/{entry.name}{_below(path)}"
                self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
                self._files.put_file(str(copy / path), target)
            text = entry.text(files).encode()
            self._files.pipe_file(f"{self._root}/{entry.name}.json", text)
        finally:
            _remove(copy)
        return f"{self._url}/{entry.name}"

    def get(self, entry: _Entry) -> Path | None:
        copy = self._copies / entry.name
        _remove(copy)
        with suppress(OSError):
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


def _place_of(folder: str) -> _Place:
    if folder.startswith("file://"):
        return _Folder(Path(folder.removeprefix("file://")))
    return _Remote(folder) if "://" in folder else _Folder(Path(folder))


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
            _sync_one(inner)
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
