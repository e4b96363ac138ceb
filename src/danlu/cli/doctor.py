"""`danlu doctor`: whether this machine has what danlu needs."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from .options import JSON, PROJECT
from .place import database, is_address
from .words import show_json, size

_NEEDED = (
    "alembic",
    "click",
    "cloudpickle",
    "jinja2",
    "numpy",
    "psutil",
    "pyyaml",
    "rich",
    "scipy",
    "sqlalchemy",
)
_EXTRA = ("torch", "ray", "submitit", "fsspec", "psycopg", "pyarrow")
_NVIDIA, _DEVICES = Path("/proc/driver/nvidia/gpus"), Path("/dev")
_LITTLE_BYTES = 10**9
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: `ok`, `notice` or `problem`, and what was seen."""

    name: str
    level: str
    message: str


@click.command()
@JSON
@PROJECT
def doctor(as_json: bool, place: str | None) -> int:
    """Check versions, storage, database, disk, processes, GPUs and clock.

    Reads all of the project's database. Exit code 1 on a problem.
    """
    server = place if place and is_address(place) else None
    folder = _nearest(Path.cwd() if server else database(place).parent)
    checks = [
        _safely("versions", _versions),
        _safely("storage", lambda: _server(server) if server else _storage(folder)),
        *([] if server else [_safely("database", lambda: _database(database(place)))]),
        _safely("disk", lambda: _disk(folder)),
        _safely("processes", _processes),
        _safely("gpu", _gpus),
        _safely("clock", lambda: _clock(folder)),
    ]
    failed = any(check.level == "problem" for check in checks)
    if as_json:
        show_json("doctor", {"ok": not failed, "checks": [vars(c) for c in checks]})
    else:
        for check in checks:
            click.echo(f"{check.level:8} {check.name:10} {check.message}")
    return int(failed)


def _safely(name: str, look: Callable[[], Check]) -> Check:
    """What a check found; whatever breaks it is what it found."""
    try:
        return look()
    except Exception as error:
        return Check(name, "problem", f"{type(error).__name__}: {error}")


def _versions() -> Check:
    found = {name: _version(name) for name in ("danlu", *_NEEDED, *_EXTRA)}
    shown = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    missing = [name for name in _NEEDED if not found[name]]
    system = f"Python {platform.python_version()} on {platform.platform(terse=True)}"
    if missing:
        lacks = f"missing: {', '.join(missing)}; pip install danlu brings them"
        return Check("versions", "problem", lacks)
    return Check("versions", "ok", f"{system}; {shown}")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _storage(folder: Path) -> Check:
    from ..project import open as open_project

    if not os.access(folder, os.W_OK):
        return Check("storage", "problem", f"{folder} may not be written to")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".danlu-doctor-") as place:
        began_s = time.perf_counter()
        open_project(Path(place) / "doctor.db").close()
        took_ms = 1000 * (time.perf_counter() - began_s)
    message = f"a database in {folder} was made in {took_ms:.0f} ms"
    return Check("storage", "ok", message)


def _database(path: Path) -> Check:
    """Reads all of the project's file: opening it does so only while it is small."""
    from ..storage.sqlite import check_whole

    if not path.is_file():
        return Check("database", "ok", f"none yet at {path}")
    began_s = time.perf_counter()
    check_whole(path)
    took_s = time.perf_counter() - began_s
    read = f"all {size(path.stat().st_size)} of {path} read in {took_s:.1f} s"
    return Check("database", "ok", f"{read}: no page is damaged")


def _server(address: str) -> Check:
    from ..project import open as open_project

    began_s = time.perf_counter()
    with open_project(address) as project:
        count = len(project.studies())
    took_ms = 1000 * (time.perf_counter() - began_s)
    message = f"the database server answered in {took_ms:.0f} ms; studies: {count}"
    return Check("storage", "ok", message)


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    level = "ok" if free >= _LITTLE_BYTES else "notice"
    return Check("disk", level, f"{size(free)} free in {folder}")


def _processes() -> Check:
    """Runs one trial of a function in a process of its own."""
    from ..executors.base import Event, Exited, Launch, Outcome
    from ..executors.local import Local
    from ..trial import Trial

    events: list[Event] = []
    began_s = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="danlu-doctor-") as folder:
        executor = Local(lambda trial: trial.params["x"])
        try:
            trial = Trial(0, {"x": 0.5})
            executor.start(Launch("doctor", trial, "loss", Path(folder) / "0"))
            while not any(isinstance(event, Exited) for event in events):
                executor.poll(events.append, 0.1)
                if time.perf_counter() - began_s > _PATIENCE_S:
                    return Check("processes", "problem", "a trial did not end in 60 s")
        finally:
            executor.close()
    took_s = time.perf_counter() - began_s
    exited = events[-1]
    if not isinstance(exited, Exited) or exited.outcome is not Outcome.DONE:
        return Check("processes", "problem", f"a trial failed: {exited}")
    cores = f"{os.cpu_count()} cores"
    return Check("processes", "ok", f"a first trial took {took_s:.2f} s; {cores}")


def _gpus() -> Check:
    """The GPUs that the kernel's drivers show; asks no program and no library."""
    found = []
    for path in sorted(_NVIDIA.glob("*/information")):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if "Model" in line]
        found.append(models[0] if models else "NVIDIA GPU")
    if not found:
        found = [str(path) for path in sorted(_DEVICES.glob("nvidia[0-9]*"))]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    limited = "" if visible is None else f"; CUDA_VISIBLE_DEVICES is {visible!r}"
    if not found:
        return Check("gpu", "ok", f"none seen{limited}")
    shown = ", ".join(f"{place} {name}" for place, name in enumerate(found))
    return Check("gpu", "ok", f"{shown}{limited}")


def _clock(folder: Path) -> Check:
    """Compares our clock with that of the file system, which may be another machine."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".danlu-doctor-") as file:
        apart_s = abs(time.time() - os.stat(file.name).st_mtime)
    message = f"{apart_s:.2f} s apart from the file system's"
    if apart_s > 5.0:
        return Check("clock", "notice", f"{message}: set both by NTP, or leases lapse")
    return Check("clock", "ok", message)


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above that exists."""
    place = folder.absolute()
    while not place.is_dir():
        place = place.parent
    return place
