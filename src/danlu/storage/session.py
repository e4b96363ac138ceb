"""The connections of one process to one database; lost ones are made anew."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Engine, Executable
from sqlalchemy.exc import DBAPIError, IntegrityError

from .driver import Asked, Driver, Row
from .failures import translation

T = TypeVar("T")

FIRST_PATIENCE_S = 10.0  # at the start a person waits, and may have mistyped
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0  # between tries to reach the database
# A server that says so is there.
_REFUSALS = ("does not exist", "authentication", "pg_hba.conf", "resolve host")
_log = logging.getLogger("danlu")


class Undo(Exception):  # it is an answer, not an error
    """Raised inside a transaction: ends it without a trace, with this answer."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer


class Session:
    """Runs pieces of work on a database, each whole or not at all.

    `connect` makes the engine, and `drive` what runs the hot paths on a connection of
    it; both are called again in a forked child and after a loss, since connections
    survive neither. `place` names the database in messages. A database that is away
    is waited for up to `patience_s`.
    """

    def __init__(
        self,
        connect: Callable[[], Engine],
        drive: Callable[[Connection], Driver],
        place: str,
        *,
        patience_s: float = 0.0,
    ) -> None:
        self.place = place
        self._connect = connect
        self._drive = drive
        self._patience_s = min(patience_s, FIRST_PATIENCE_S)
        self._process = 0
        self._engine: Engine | None = None
        self._patiently(lambda again: self.engine)
        self._patience_s = patience_s

    @property
    def engine(self) -> Engine:
        """The engine, made in this process."""
        if self._engine is None or os.getpid() != self._process:
            self._engine = self._connect()
            self._writer = self._engine.connect()
            autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")
            self._reader = autocommit.connect()
            self._driver = self._drive(self._reader)
            self._process = os.getpid()
        return self._engine

    def drive(self, work: Callable[[Driver, bool], T]) -> T:
        """What `work` returns, which uses the database's own driver.

        Its second argument is as with `write`.
        """
        return self._patiently(lambda again: work(self._driven, again))

    def rows(self, statement: Executable, asked: Asked) -> Sequence[Row]:
        """The rows that one statement answers."""
        return self.drive(lambda driver, again: list(driver.rows(statement, asked)))

    def write(self, work: Callable[[Connection, bool], T]) -> T:
        """What `work` returns; what it wrote is on disk then.

        Its second argument is True when an earlier try was cut off, so that what it is
        about to write may be there already. It may raise `Undo`.
        """
        return self._patiently(lambda again: self._transaction(work, again))

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, each statement on its own."""
        return self._patiently(lambda again: self._reading(work))

    def close(self) -> None:
        """Lets go of the database."""
        if self._engine is not None and self._process == os.getpid():
            self._driver.close()
            self._reader.close()
            self._writer.close()
            self._engine.dispose()
        self._engine = None

    @property
    def _driven(self) -> Driver:
        """The driver, its connection made in this process."""
        _ = self.engine
        return self._driver

    def _transaction(self, work: Callable[[Connection, bool], T], again: bool) -> T:
        try:
            with self._driven.turn(), self._writer.begin():
                return work(self._writer, again)
        except Undo as undo:
            return undo.answer  # type: ignore[return-value]  # what work answers

    def _reading(self, work: Callable[[Connection], T]) -> T:
        _ = self.engine
        return work(self._reader)

    def _patiently(self, attempt: Callable[[bool], T]) -> T:
        """Tries again while the database is away."""
        pause_s, away_since_s = FIRST_PAUSE_S, None
        while True:
            try:
                return attempt(away_since_s is not None)
            except IntegrityError:
                raise
            except DBAPIError as error:
                now_s = time.monotonic()
                if away_since_s is None:
                    away_since_s = now_s
                    if self._patience_s and _is_away(error):
                        _log.warning("database %s is away: waiting for it", self.place)
                waited_s = now_s - away_since_s
                if not _is_away(error) or waited_s >= self._patience_s:
                    raise translation(self.place, error) from error
                self._forget()
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _forget(self) -> None:
        """Drops connections that are of no use any more."""
        if self._engine is not None and self._process == os.getpid():
            for connection in (self._writer, self._reader):
                connection.invalidate()
                connection.close()
            self._engine.dispose()
        self._engine = None


def _is_away(error: DBAPIError) -> bool:
    """Whether the server is gone, starting up or shutting down."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", "")
    if state is None:  # psycopg has none where no connection could be made
        return not any(word in str(error.orig) for word in _REFUSALS)
    return state.startswith(("08", "57P"))
