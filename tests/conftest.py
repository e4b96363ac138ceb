"""What several tests need."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres import Server, Unavailable

# The same examples each time, so that what passed here passes elsewhere, and no limit
# on time: machines are shared. HYPOTHESIS_PROFILE=thorough looks for new ones.
settings.register_profile("quick", derandomize=True, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(autouse=True)
def same_path() -> Iterator[None]:
    """Folders of programs that a test loads are not looked into by the next ones."""
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, half filled by the file `ballast`."""
    with _mounted(tmp_path / "small", "size=1m") as place:
        (place / "ballast").write_bytes(os.urandom(512 * 1024))
        yield place


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that nobody may write, not even root."""
    with _mounted(tmp_path / "locked", "ro,size=1m") as place:
        yield place


@contextmanager
def _mounted(place: Path, options: str) -> Iterator[Path]:
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server that lives as long as the tests."""
    try:
        server = Server()
    except Unavailable as error:
        pytest.skip(str(error))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres_url(postgres_server: Server) -> str:
    """An empty PostgreSQL database."""
    return postgres_server.new_database()
