"""Statements of the hot paths, run by the database's own driver.

SQLAlchemy writes their text, once; to run them through it too would take three times
the CPU. What is written together is handed over as one batch in which no statement
waits here for the answer to another. So the study's row, which every write locks, is
free again as soon as the database can make it so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DBAPIError

from .turn import Turn
from .wal import Wal

_SQLITE = SQLiteDialect_pysqlite(paramstyle="named")
Row = tuple[Any, ...]
Asked = Mapping[str, Any]


class Driver(ABC):
    """Runs statements on one connection, on which each commits by itself."""

    def __init__(self, connection: Connection) -> None:
        self._own: Any = connection.connection.driver_connection
        self._dialect: Dialect = connection.dialect
        self._errors = connection.dialect.loaded_dbapi.Error

    def rows(self, statement: Executable, asked: Asked) -> Iterator[Row]:
        """The rows that one statement answers, none kept."""
        text, values = self._text(statement, asked)
        with self._raising(text):
            yield from self._own.execute(text, values)

    @abstractmethod
    def together(
        self, statements: Sequence[Executable], asked: Asked
    ) -> Sequence[Sequence[Row]]:
        """The rows that each statement answers; all are written, or none.

        Each sees what those before it wrote. They share the values in `asked`.
        """

    def turn(self) -> AbstractContextManager[None]:
        """To be held by who writes through SQLAlchemy."""
        return nullcontext()

    @abstractmethod
    def close(self) -> None:
        """Lets go of what it holds beside the connection."""

    def _text(self, statement: Executable, asked: Asked) -> tuple[str, dict[str, Any]]:
        """A statement in the database's words, and the values that it names."""
        text, named = _compiled(statement, self._dialect)
        return text, {name: asked.get(name, own) for name, own in named.items()}

    @contextmanager
    def _raising(self, text: str) -> Iterator[None]:
        """Raises the driver's errors as SQLAlchemy's, which all else here knows."""
        try:
            yield
        except self._errors as error:
            lost = bool(getattr(self._own, "closed", False))
            raise DBAPIError(text, None, error, connection_invalidated=lost) from error


class SqliteDriver(Driver):
    """Python's sqlite3; a batch holds the file's write lock from its start.

    Who writes takes a turn, and then waits for the log to be on disk; a database in
    memory has neither.
    """

    def __init__(self, connection: Connection, line: tuple[Turn, Wal] | None) -> None:
        super().__init__(connection)
        self._dialect = _SQLITE
        self._line = line

    def together(
        self, statements: Sequence[Executable], asked: Asked
    ) -> Sequence[Sequence[Row]]:
        """The rows that each statement answers; all are written, or none."""
        texts = [self._text(statement, asked) for statement in statements]
        with self._raising(texts[0][0]), self.turn():
            self._own.execute("BEGIN IMMEDIATE")
            try:
                found = [self._own.execute(*text).fetchall() for text in texts]
                self._own.execute("COMMIT")
            except BaseException:
                self._own.rollback()
                raise
        return found

    @contextmanager
    def turn(self) -> Iterator[None]:
        """To be held by who writes through SQLAlchemy."""
        if self._line is None:
            yield
            return
        turn, wal = self._line
        with turn.taken():
            yield
        try:
            wal.wait()
        except OSError as error:
            raise DBAPIError("fdatasync", None, error) from error

    def close(self) -> None:
        """Leaves the line of writers."""
        for part in self._line or ():
            part.close()


class PostgresDriver(Driver):
    """psycopg; a batch is one trip to the server and back.

    What is sent in a pipeline is one transaction, committed at the pipeline's end.
    """

    def together(
        self, statements: Sequence[Executable], asked: Asked
    ) -> Sequence[Sequence[Row]]:
        """The rows that each statement answers; all are written, or none."""
        texts = [self._text(statement, asked) for statement in statements]
        with self._raising(texts[0][0]):
            with self._batch():
                cursors = [self._own.execute(*text) for text in texts]
            return [own.fetchall() if own.description else [] for own in cursors]

    def close(self) -> None:
        """Holds nothing beside the connection."""

    def _batch(self) -> AbstractContextManager[object]:
        from psycopg import Pipeline

        piped = Pipeline.is_supported()  # not with a libpq before 14
        batch: AbstractContextManager[object] = (
            self._own.pipeline() if piped else self._own.transaction()
        )
        return batch


@lru_cache(maxsize=256)  # compiling takes 3 ms
def _compiled(statement: Any, dialect: Dialect) -> tuple[str, Asked]:
    """The text of a statement, and all that it names with the values it brings."""
    compiled = statement.compile(dialect=dialect)
    return compiled.string, compiled.params
