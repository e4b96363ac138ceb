"""The storage in a SQL database, through SQLAlchemy Core."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Executable, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from ..errors import StorageError, StorageFormat, StudyError, TrialError
from ..folders import is_in_memory
from ..jsontext import dumps, loads
from ..trial import Kind, Report, State, Trial, check_transition
from . import remarks, rows, sqlite
from . import statements as sql
from .base import (
    Changes,
    Claim,
    DecisionRecord,
    Holding,
    Note,
    Reserved,
    Storage,
    StudyRecord,
)
from .driver import Driver, PostgresDriver, Row, SqliteDriver
from .session import Session, Undo
from .tables import HEAD, studies
from .turn import Turn
from .wal import Wal

PATIENCE_S = 600.0  # a restart or a fail-over of a database server takes minutes
_LARGEST = 2**63 - 1  # of the numbers that a database holds
_UNLIMITED = 2**62  # more trials than there will be
_SERVERS = ("postgresql://", "postgresql+psycopg://", "postgres://")


def open_storage(url: str, *, patience_s: float = PATIENCE_S) -> SqlStorage:
    """The storage at `url`: a path, `:memory:`, or `postgresql://user@host/name`.

    A server that goes away later is waited for up to `patience_s`.

    Raises:
        StorageError: it cannot be opened; the message says why and what to do.
    """
    if is_in_memory(url):
        engine = sqlite.open_memory()
        alone = partial(SqliteDriver, line=None)
        return SqlStorage(Session(lambda: engine, alone, ":memory:"))
    if url.startswith(_SERVERS):
        return _at_server(url, patience_s)
    path = _path_of(url)
    session = Session(
        lambda: sqlite.open_file(path),
        lambda connection: SqliteDriver(connection, (Turn(path), Wal(path))),
        str(path),
    )
    storage = SqlStorage(session)
    storage.check_revision()
    return storage


def _at_server(url: str, patience_s: float) -> SqlStorage:
    from . import postgres

    session = Session(
        lambda: postgres.open_server(url),
        PostgresDriver,
        postgres.place_of(url),
        patience_s=patience_s,
    )
    storage = SqlStorage(session)
    storage.check_revision()
    return storage


def _path_of(url: str) -> Path:
    path = url.removeprefix("sqlite:///")
    if "://" in path:
        raise StorageError(
            f"a {path.partition('://')[0]} database cannot be opened: give the path "
            "of a file, sqlite:///path, or postgresql://user@host/name"
        )
    if "\0" in path:
        raise StorageError(f"{path!r} is no path of a file")
    return Path(path).absolute()


class SqlStorage(Storage):
    """Studies and trials in the tables of `tables.py`.

    A write that was cut off by a lost connection is tried again. It may have been done
    all the same: then the second try finds it, by what no other write could have left.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_study(self, name: str, statement: Mapping[str, Any]) -> StudyRecord:
        """Keeps a new study."""
        created_s = time.time()
        row = {
            "name": name,
            "statement": dumps(statement),
            "created_s": created_s,
            "version": 0,
            "next_number": 0,
            "next_index": 0,
        }

        def add(connection: Connection, again: bool) -> int:
            same = select(studies.c.id).where(studies.c.name == name)
            done = connection.execute(same.where(studies.c.created_s == created_s))
            if again and (found := done.scalar()) is not None:
                return int(found)
            added = connection.execute(insert(studies).returning(studies.c.id), row)
            return int(added.scalar_one())

        try:
            number = self._session.write(add)
        except IntegrityError:
            raise StudyError(
                f"a study {name!r} exists already: take another name"
            ) from None
        return StudyRecord(number, name, statement, created_s)

    def amend(self, study: int, statement: Mapping[str, Any]) -> None:
        """Replaces a study's statement."""

        def change(connection: Connection, again: bool) -> None:
            self._take_version(connection, study)
            changed = update(studies).where(studies.c.id == study)
            connection.execute(changed.values(statement=dumps(statement)))

        self._session.write(change)

    def studies(self) -> Sequence[StudyRecord]:
        """All studies, oldest first."""
        columns = studies.c.id, studies.c.name, studies.c.statement, studies.c.created_s
        wanted = select(*columns).order_by(studies.c.id)
        found = self._session.read(lambda own: own.execute(wanted).all())
        return [StudyRecord(id_, name, loads(text), s) for id_, name, text, s in found]

    def reserve(
        self, study: int, kind: Kind, claim: Claim, limit: int | None = None
    ) -> Reserved | None:
        """A new running trial without params; None once `limit` of its kind exist."""
        searches = kind is Kind.SEARCH
        asked = {
            **rows.reserved_columns(kind, claim),
            "study": study,
            "limit": _UNLIMITED if limit is None else limit,
            "lease_s": claim.lease_s,
            "more": int(searches),
        }
        reserved = sql.RESERVED_SEARCH if searches else sql.RESERVED_OTHER
        batch = sql.LOCKED, reserved, sql.COUNTED

        def count(driver: Driver, again: bool) -> Sequence[Row]:
            unheard = {"study": study, "holder": claim.owner}
            if again and (done := list(driver.rows(sql.UNFILLED, unheard))):
                return done
            known, given, _ = driver.together(batch, asked)
            if not known:
                raise self._no_study(study)
            return given

        given = self._session.drive(count)
        return Reserved(*given[0]) if given else None

    def release(self, study: int, number: int) -> None:
        """Gives back a reserved number for which there is nothing to try."""

        def give_back(connection: Connection, again: bool) -> None:
            self._take_version(connection, study)
            gone = connection.execute(sql.RELEASED, {"study": study, "n": number})
            if gone.rowcount:
                connection.execute(sql.RECOUNTED, {"study": study})

        self._session.write(give_back)

    def fill(self, study: int, trial: Trial, *, alone_since: int | None = None) -> bool:
        """Writes down all of a reserved trial but its curves."""
        row = rows.filled_columns(trial)
        given = {"study": study, "n": trial.number, "alone_since": alone_since}
        asked = {**rows.as_new(row), **given}
        statement = sql.filled if alone_since is None else sql.filled_alone
        batch = sql.NEXT_VERSION, statement(tuple(row))
        answers = self._session.drive(lambda own, _: self._write(own, batch, asked))
        return alone_since is None or bool(answers[1])

    def move(
        self,
        study: int,
        before: Trial,
        after: Trial,
        *,
        reports: Sequence[Report] = (),
        claim: Claim | None = None,
    ) -> bool:
        """Writes `after`, with last reports, if the trial is as in `before`."""
        if before.state.ended or after.state is not before.state:
            check_transition(before, after)
        row = rows.moved_columns(after)
        row["owner"] = claim.owner if claim else ""
        asked = {
            **rows.as_new(row),
            "study": study,
            "n": before.number,
            "was": before.state.value,
            "tried": before.attempt,
            "lease_s": claim.lease_s if claim else None,
        }
        batch: list[Executable] = [sql.NEXT_VERSION, sql.moved(tuple(row))]
        if reports:
            batch.append(sql.LAST_POINTS)
            asked["points"] = rows.points_of(reports)

        def change(driver: Driver, again: bool) -> bool:
            whole = self._joined(driver, asked) if after.state.ended else {}
            joining = (sql.JOINED, sql.WITHOUT_EARLIER) if whole else ()
            answers = self._write(driver, [*batch, *joining], {**asked, **whole})
            if answers[1]:
                return True
            return again and self._is_there(driver, asked, after)

        return self._session.drive(change)

    def report(
        self, study: int, number: int, attempt: int, reports: Sequence[Report]
    ) -> State:
        """Adds reports, all or none, and answers the trial's state."""
        asked = {"study": study, "n": number, "tried": attempt}
        if reports:
            row = {**asked, "points": rows.points_of(reports)}
            batch = sql.NEXT_VERSION, sql.REPORTED
            _, added = self._session.drive(
                lambda driver, again: self._write(driver, batch, row)
            )
            if added:
                return State.RUNNING
        found = self._session.rows(sql.STANDING, asked)
        if not found:
            raise TrialError(f"no trial {number} in the study")
        stands = found[0] == (State.RUNNING.value, attempt)
        return State.RUNNING if stands and not reports else State.STOPPED

    def changes(self, study: int, since: int) -> Changes:
        """What is new after version `since`; 0 gives everything."""
        news = self._news(sql.NEWS, {"study": study, "after": since})
        if news is None:
            raise self._no_study(study)
        return news

    def trial(self, study: int, number: int) -> Trial | None:
        """One trial with its curves; None where there is none that has params."""
        if not 0 <= number <= _LARGEST:
            return None
        news = self._news(sql.NEWS_OF_ONE, {"study": study, "n": number})
        if news is None or not news.trials:
            return None
        return news.trials[0].with_curves(dict(news.stretches).get(number, {}))

    def holdings(self, study: int, grace_s: float = 0.0) -> Sequence[Holding]:
        """The running trials and who holds them."""
        asked = {"study": study, "grace_s": grace_s}
        found = self._session.read(lambda own: own.execute(sql.HOLDINGS, asked).all())
        return [
            Holding(
                number=number,
                kind=Kind(kind),
                index=index,
                owner=owner,
                attempt=attempt,
                leased=lapsed is not None,
                lapsed=bool(lapsed),
                filled=bool(filled),
            )
            for number, kind, index, owner, attempt, lapsed, filled in found
        ]

    def take(self, study: int, holding: Holding, claim: Claim) -> bool:
        """Makes `claim` the owner of a running trial that its holder has let go."""
        asked = {
            "study": study,
            "n": holding.number,
            "holder": holding.owner,
            "tried": holding.attempt,
            "new_owner": claim.owner,
            "lease_s": claim.lease_s,
        }

        def change(connection: Connection, again: bool) -> bool:
            version = self._take_version(connection, study)
            if connection.execute(sql.TAKEN, {**asked, "v": version}).rowcount:
                return True
            ours = {**asked, "holder": claim.owner, "tried": holding.attempt + 1}
            raise Undo(again and bool(connection.execute(sql.HELD, ours).scalar()))

        return self._session.write(change)

    def renew(self, owner: str, lease_s: float) -> None:
        """Prolongs the lease on every running trial that `owner` holds."""
        asked = {"holder": owner, "lease_s": lease_s}
        self._session.write(lambda own, again: own.execute(sql.RENEWED, asked).rowcount)

    def add_note(self, study: int, text: str) -> None:
        """Keeps a remark on a study."""
        remarks.add_note(self._session, study, text)

    def notes(self, study: int) -> Sequence[Note]:
        """The remarks on a study, oldest first."""
        return remarks.notes_of(self._session, study)

    def add_decision(self, study: int, document: Mapping[str, Any]) -> DecisionRecord:
        """Keeps what was decided about a study."""
        return remarks.add_decision(self._session, study, document)

    def decisions(self) -> Sequence[DecisionRecord]:
        """The decisions about all studies, oldest first."""
        return remarks.all_decisions(self._session)

    def close(self) -> None:
        """Lets go of the database."""
        self._session.close()

    def check_revision(self) -> None:
        """Brings an older database up to date; raises for a newer one."""
        wanted = "SELECT version_num FROM alembic_version"
        try:
            found = self._session.read(lambda own: own.exec_driver_sql(wanted).scalar())
        except StorageError as error:
            if not isinstance(error.__cause__, DBAPIError):
                raise
            if "no such table" not in str(error) and "does not exist" not in str(error):
                raise
            raise StorageFormat(
                f"{self._session.place} has no danlu tables: choose another database"
            ) from error
        if found == HEAD:
            return
        from .migrations import upgrade  # alembic costs 0.5 s: only when needed

        upgrade(self._session.engine, self._session.place, found)

    def _write(
        self, driver: Driver, batch: Sequence[Executable], asked: Mapping[str, Any]
    ) -> Sequence[Sequence[Row]]:
        """What a batch answers whose first statement takes the next version."""
        answers = driver.together(batch, asked)
        if not answers[0]:
            raise self._no_study(asked["study"])
        return answers

    def _news(self, statement: Executable, asked: Mapping[str, Any]) -> Changes | None:
        """What a statement like `sql.NEWS` finds; None where there is no study."""
        return self._session.drive(
            lambda driver, again: rows.news_from(driver.rows(statement, asked))
        )

    def _joined(self, driver: Driver, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Several stretches of a trial as the last of them; empty if there are less."""
        found = list(driver.rows(sql.STRETCHES, asked))
        if len(found) < 2:
            return {}
        joined = rows.joined(points for _, points in found)
        return {"seen": found[-1][0], "joined": joined}

    def _take_version(self, connection: Connection, study: int) -> int:
        """The study's next version; its row stays locked until the commit."""
        version = connection.execute(sql.NEXT_VERSION, {"study": study}).scalar()
        if version is None:
            raise self._no_study(study)
        return int(version)

    def _is_there(self, driver: Driver, asked: Mapping[str, Any], trial: Trial) -> bool:
        """Whether the trial is as this process alone could have written it."""
        own = {
            "study": asked["study"],
            "n": trial.number,
            "was": trial.state.value,
            "tried": trial.attempt,
            "holder": asked["new_owner"],
            "ended_s": trial.ended_s,
        }
        return any(driver.rows(sql.AS_WRITTEN, own))

    def _no_study(self, study: int) -> StorageError:
        return StorageError(f"no study number {study} in {self._session.place}")
