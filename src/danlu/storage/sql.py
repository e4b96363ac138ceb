"""The storage in a SQL database, through SQLAlchemy Core."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from ..errors import StorageError, StorageFormat, StudyError, TrialError
from ..jsontext import dumps, loads
from ..trial import Curve, Kind, Report, State, Trial, check_transition
from . import rows, sqlite
from . import statements as sql
from .base import Changes, Claim, Holding, Note, Reserved, Storage, StudyRecord
from .session import Session, Undo
from .tables import HEAD, curves, notes, studies

PATIENCE_S = 600.0  # a restart or a fail-over of a database server takes minutes
_SERVERS = ("postgresql://", "postgresql+psycopg://", "postgres://")


def open_storage(url: str, *, patience_s: float = PATIENCE_S) -> SqlStorage:
    """The storage at `url`: a path, `:memory:`, or `postgresql://user@host/name`.

    A server that goes away later is waited for up to `patience_s`.

    Raises:
        StorageError: it cannot be opened; the message says why and what to do.
    """
    if url in (":memory:", "sqlite://"):
        engine = sqlite.open_memory()
        return SqlStorage(Session(lambda: engine, ":memory:"))
    if url.startswith(_SERVERS):
        return _at_server(url, patience_s)
    path = _path_of(url)
    storage = SqlStorage(Session(lambda: sqlite.open_file(path), str(path)))
    storage.check_revision()
    return storage


def _at_server(url: str, patience_s: float) -> SqlStorage:
    from . import postgres

    session = Session(
        lambda: postgres.open_server(url),
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
        asked = {"study": study, "more": int(searches), "kind": kind.value}

        def count(connection: Connection, again: bool) -> Reserved | None:
            if again and (done := self._unfilled(connection, study, claim.owner)):
                return done
            counted = connection.execute(sql.NEXT_NUMBER, asked).first()
            if counted is None:
                raise self._no_study(study)
            version, after, index_after = counted
            before = index_after - 1
            if limit is not None and not searches:
                before = connection.execute(sql.OF_KIND, asked).scalar_one()
            if limit is not None and before >= limit:
                raise Undo(None)
            reserved = Reserved(after - 1, before if searches else None)
            row = rows.reserved_columns(study, reserved, version, kind, claim)
            connection.execute(sql.RESERVED, row)
            return reserved

        return self._session.write(count)

    def release(self, study: int, number: int) -> None:
        """Gives back a reserved number for which there is nothing to try."""

        def give_back(connection: Connection, again: bool) -> None:
            self._take_version(connection, study)
            gone = connection.execute(sql.RELEASED, {"study": study, "n": number})
            if gone.rowcount:
                connection.execute(sql.RECOUNTED, {"study": study})

        self._session.write(give_back)

    def fill(self, study: int, trial: Trial) -> None:
        """Writes down all of a reserved trial but its curves."""
        row = rows.filled_columns(trial)

        def write_down(connection: Connection, again: bool) -> None:
            row["version"] = self._take_version(connection, study)
            asked = {"study": study, "n": trial.number}
            connection.execute(sql.written(tuple(row)), {**rows.as_new(row), **asked})

        self._session.write(write_down)

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
            "study": study,
            "n": before.number,
            "was": before.state.value,
            "tried": before.attempt,
            "lease_s": claim.lease_s if claim else None,
        }

        def change(connection: Connection, again: bool) -> bool:
            row["version"] = self._take_version(connection, study)
            moved = connection.execute(
                sql.moved(tuple(row)), {**rows.as_new(row), **asked}
            )
            if not moved.rowcount:
                raise Undo(again and self._is_there(connection, study, after, row))
            self._add_points(connection, study, before.number, row["version"], reports)
            if after.state.ended:
                self._compact(connection, study, before.number, row["version"])
            return True

        return self._session.write(change)

    def report(
        self, study: int, number: int, attempt: int, reports: Sequence[Report]
    ) -> State:
        """Adds reports, all or none, and answers the trial's state."""

        def add(connection: Connection, again: bool) -> State:
            version = self._take_version(connection, study)
            asked = {"study": study, "n": number, "tried": attempt, "v": version}
            row = {**asked, "points": rows.points_of(reports)}
            if reports and connection.execute(sql.REPORTED, row).first():
                return State.RUNNING
            found = connection.execute(sql.STANDING, asked).first()
            if found is None:
                raise TrialError(f"no trial {number} in the study")
            if tuple(found) != (State.RUNNING.value, attempt):
                raise Undo(State.STOPPED)
            return State.RUNNING

        return self._session.write(add)

    def changes(self, study: int, since: int) -> Changes:
        """What is new after version `since`; 0 gives everything."""
        asked = {"study": study, "after": since}

        def look(connection: Connection) -> Changes:
            version: int | None = None
            changed: list[Trial] = []
            grown: list[tuple[int, int, Mapping[str, Curve]]] = []
            for what, *row in connection.execute(sql.NEWS, asked):
                if what == sql.OF_STUDY:
                    version = row[0]
                elif what == sql.OF_TRIAL:
                    changed.append(rows.trial_from_row(row[1:]))
                else:
                    grown.append((row[0], row[1], rows.stretch_from(row[2])))
            if version is None:
                raise self._no_study(study)
            changed.sort(key=attrgetter("number"))
            grown.sort(key=itemgetter(0))
            stretches = tuple((number, curves) for _, number, curves in grown)
            return Changes(version, tuple(changed), stretches)

        return self._session.read(look)

    def holdings(self, study: int) -> Sequence[Holding]:
        """The running trials and who holds them."""
        asked = {"study": study}
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
        written_s = time.time()
        row = {"study_id": study, "text": text, "written_s": written_s}

        def add(connection: Connection, again: bool) -> None:
            same = select(notes.c.id).where(notes.c.study_id == study)
            done = connection.execute(same.where(notes.c.written_s == written_s))
            if not again or done.first() is None:
                connection.execute(insert(notes), row)

        self._session.write(add)

    def notes(self, study: int) -> Sequence[Note]:
        """The remarks on a study, oldest first."""
        columns = select(notes.c.text, notes.c.written_s)
        wanted = columns.where(notes.c.study_id == study).order_by(notes.c.id)
        found = self._session.read(lambda own: own.execute(wanted).all())
        return [Note(text, written_s) for text, written_s in found]

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

    def _add_points(
        self,
        connection: Connection,
        study: int,
        number: int,
        version: int,
        reports: Sequence[Report],
    ) -> None:
        if reports:
            points = rows.points_of(reports)
            row = {"study_id": study, "version": version, "number": number}
            connection.execute(insert(curves), {**row, "points": points})

    def _compact(
        self, connection: Connection, study: int, number: int, version: int
    ) -> None:
        """Leaves one row of curves for a trial that has ended."""
        asked = {"study": study, "n": number}
        found = connection.execute(sql.STRETCHES, asked).all()
        if len(found) < 2:
            return
        points = rows.joined(rows.stretch_from(text) for (text,) in found)
        connection.execute(sql.WITHOUT_STRETCHES, asked)
        row = {"study_id": study, "version": version, "number": number}
        connection.execute(insert(curves), {**row, "points": points})

    def _take_version(self, connection: Connection, study: int) -> int:
        """The study's next version; its row stays locked until the commit."""
        version = connection.execute(sql.NEXT_VERSION, {"study": study}).scalar()
        if version is None:
            raise self._no_study(study)
        return int(version)

    def _unfilled(
        self, connection: Connection, study: int, owner: str
    ) -> Reserved | None:
        """A number that this owner reserved and never heard of."""
        asked = {"study": study, "holder": owner}
        found = connection.execute(sql.UNFILLED, asked).first()
        return None if found is None else Reserved(*found)

    def _is_there(
        self, connection: Connection, study: int, trial: Trial, row: Mapping[str, Any]
    ) -> bool:
        """Whether the trial is as this process alone could have written it."""
        asked = {
            "study": study,
            "n": trial.number,
            "was": trial.state.value,
            "tried": trial.attempt,
            "holder": row["owner"],
            "ended_s": trial.ended_s,
        }
        return connection.execute(sql.AS_WRITTEN, asked).first() is not None

    def _no_study(self, study: int) -> StorageError:
        return StorageError(f"no study number {study} in {self._session.place}")
