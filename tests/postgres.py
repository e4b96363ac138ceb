"""A PostgreSQL server of the tests' own: a cluster in a folder, on a free port."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg

INSTALL = ["apt-get", "install", "-y", "-q", "postgresql"]


class Unavailable(Exception):
    """There is no PostgreSQL here, and it cannot be installed."""


class Server:
    """A server that is started, stopped, and killed at will."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.address = address
        self._programs = _programs()
        self._folder = Path(tempfile.mkdtemp(prefix="danlu-postgres-"))
        self._user = _unprivileged()
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self.port = _free_port()
        self._initialize()
        self._databases = 0

    def start(self) -> None:
        """Starts the server, and waits until it answers."""
        options = f"-p {self.port} -c listen_addresses={self.address} -k {self._folder}"
        self._run("pg_ctl", "-w", "-t", "60", "-o", options, "-l", "log", "start")

    def stop(self) -> None:
        """Stops it the polite way."""
        self._run("pg_ctl", "-w", "-m", "fast", "stop")

    def kill(self) -> None:
        """Kills all its processes at once, as a crash of the machine would."""
        written = (self._folder / "cluster" / "postmaster.pid").read_text()
        main = psutil.Process(int(written.split()[0]))
        own = [main, *main.children(recursive=True)]
        for process in own:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(own, timeout=10)

    def new_database(self) -> str:
        """The address of an empty database."""
        self._databases += 1
        name = f"danlu{self._databases}"
        address = f"postgresql://danlu@{self.address}:{self.port}"
        with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"{address}/{name}"

    def remove(self) -> None:
        """Ends the server and removes its files."""
        subprocess.run(
            [self._programs / "pg_ctl", "-m", "immediate", "stop"],
            env=self._environment(),
            user=self._user,
            capture_output=True,
            check=False,
        )
        shutil.rmtree(self._folder, ignore_errors=True)

    def _initialize(self) -> None:
        trust = ["-A", "trust", "-U", "danlu", "-E", "UTF8", "--no-sync"]
        self._run("initdb", *trust)
        with (self._folder / "cluster" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")

    def _run(self, program: str, *words: str) -> None:
        # pg_ctl leaves a server behind that holds our pipes: so no pipes
        with (self._folder / "output").open("ab") as output:
            done = subprocess.run(
                [self._programs / program, *words],
                env=self._environment(),
                user=self._user,
                cwd=self._folder,
                stdout=output,
                stderr=output,
                check=False,
            )
        if done.returncode:
            said = (self._folder / "output").read_text()
            raise RuntimeError(f"{program} failed: {said[-2000:]}")

    def _environment(self) -> dict[str, str]:
        own = {"PGDATA": str(self._folder / "cluster"), "PGUSER": "danlu"}
        return {**os.environ, **own, "LC_ALL": "C.UTF-8"}


def _programs() -> Path:
    """The folder of the server's programs; installs them where that is possible."""
    with (Path(tempfile.gettempdir()) / "danlu-postgres.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # several processes may run the tests
        return _found_or_installed()


def _found_or_installed() -> Path:
    found = _installed()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-q"], INSTALL):
            subprocess.run(command, env=quiet, capture_output=True, check=False)
        found = _installed()
    if found is None:
        raise Unavailable("no PostgreSQL server: install Debian's package postgresql")
    return found


def _installed() -> Path | None:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    found = debian[-1] if debian else Path(on_path) if on_path else None
    return None if found is None else found.parent


def _unprivileged() -> str | None:
    """Who runs the server: it refuses to be run by root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
