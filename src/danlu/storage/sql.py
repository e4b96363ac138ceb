"""The storage in a SQL database, through SQLAlchemy Core."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from ..errors import StorageError, StorageFormat, StudyError, TrialError
from ..jsontext import dumps, loads
from ..trial import TRANSITIONS, Kind, Report, State, Trial
from . import rows, sqlite
from . import statements as sql
from .base import Changes, Claim, Holding, Note, Reserved, Storage, StudyRecord
from .failures import translated
from .tables import HEAD, curves, notes, studies, trials


def open_storage(url: str) -> SqlStorage:
    """The storage at `url`: a path, `sqlite:///path`, or `:memory:`.

    Raises:
        StorageError: it cannot be opened; the message says why and what to do.
    """
    if url in (":memory:", "sqlite://"):
        engine = sqlite.open_memory()
        return SqlStorage(lambda: engine, ":memory:")
    path = _path_of(url)
    storage = SqlStorage(lambda: sqlite.open_file(path), str(path))
    storage.check_revision()
    return storage


def _path_of(url: str) -> Path:
    path = url.removeprefix("sqlite:///")
    if "://" in path:
        raise StorageError(
            f"a {path.partition('://')[0]} database cannot be opened: give the path "
            "of a file, or sqlite:///path"
        )
    if "\0" in path:
        raise StorageError(f"{path!r} is no path of a file")
    return Path(path).absolute()


class SqlStorage(Storage):
    """Studies and trials in the tables of `tables.py`.

    `connect` makes the engine; it is called again in a forked child, since connections
    do not survive a fork. `place` names the database in messages.
    """

    def __init__(self, connect: Callable[[], Engine], place: str) -> None:
        self._connect = connect
        self._place = place
        self._process = 0
        self._open()

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
        try:
            with self._writing() as connection:
                added = connection.execute(insert(studies).returning(studies.c.id), row)
                return StudyRecord(added.scalar_one(), name, statement, created_s)
        except IntegrityError:
            raise StudyError(
                f"a study {name!r} exists already: take another name"
            ) from None

    def amend(self, study: int, statement: Mapping[str, Any]) -> None:
        """Replaces a study's statement."""
        with self._writing() as connection:
            self._take_version(connection, study)
            changed = update(studies).where(studies.c.id == study)
            connection.execute(changed.values(statement=dumps(statement)))

    def studies(self) -> Sequence[StudyRecord]:
        """All studies, oldest first."""
        columns = studies.c.id, studies.c.name, studies.c.statement, studies.c.created_s
        with self._reading() as connection:
            found = connection.execute(select(*columns).order_by(studies.c.id)).all()
        return [StudyRecord(id_, name, loads(text), s) for id_, name, text, s in found]

    def reserve(
        self, study: int, kind: Kind, claim: Claim, limit: int | None = None
    ) -> Reserved | None:
        """A new running trial without params; None once `limit` of its kind exist."""
        searches = kind is Kind.SEARCH
        asked = {"study": study, "more": int(searches), "kind": kind.value}
        with self._writing() as connection:
            counted = connection.execute(sql.NEXT_NUMBER, asked).first()
            if counted is None:
                raise self._no_study(study)
            version, after, index_after = counted
            before = index_after - 1
            if limit is not None and not searches:
                before = connection.execute(sql.OF_KIND, asked).scalar_one()
            if limit is not None and before >= limit:
                connection.rollback()
                return None
            reserved = Reserved(after - 1, before if searches else None)
            row = _reserved_row(study, reserved, version, kind, claim)
            connection.execute(insert(trials), row)
        return reserved

    def release(self, study: int, number: int) -> None:
        """Gives back a reserved number for which there is nothing to try."""
        with self._writing() as connection:
            self._take_version(connection, study)
            gone = connection.execute(sql.RELEASED, {"study": study, "n": number})
            if gone.rowcount:
                connection.execute(sql.RECOUNTED, {"study": study})

    def fill(self, study: int, trial: Trial) -> None:
        """Writes down all of a reserved trial but its curves."""
        with self._writing() as connection:
            version = self._take_version(connection, study)
            row = {**rows.filled_columns(trial), "version": version}
            asked = {"study": study, "n": trial.number}
            connection.execute(sql.written(tuple(row)), {**_new(row), **asked})

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
            _check_transition(before, after)
        row = rows.moved_columns(after)
        row["owner"] = claim.owner if claim else ""
        row["lease_until_s"] = _lease_end(claim)
        asked = {
            "study": study,
            "n": before.number,
            "was": before.state.value,
            "tried": before.attempt,
        }
        with self._writing() as connection:
            row["version"] = self._take_version(connection, study)
            moved = connection.execute(sql.moved(tuple(row)), {**_new(row), **asked})
            if not moved.rowcount:
                connection.rollback()
                return False
            self._add_points(connection, study, before.number, row["version"], reports)
            if after.state.ended:
                self._compact(connection, study, before.number, row["version"])
        return True

    def report(
        self, study: int, number: int, attempt: int, reports: Sequence[Report]
    ) -> State:
        """Adds reports, all or none, and answers the trial's state."""
        with self._writing() as connection:
            version = self._take_version(connection, study)
            asked = {"study": study, "n": number}
            found = connection.execute(sql.STANDING, asked).first()
            if found is None:
                raise TrialError(f"no trial {number} in the study")
            state, standing_attempt = found
            if state != State.RUNNING.value or standing_attempt != attempt:
                connection.rollback()
                return State.STOPPED
            self._add_points(connection, study, number, version, reports)
        return State.RUNNING

    def changes(self, study: int, since: int) -> Changes:
        """What is new after version `since`; 0 gives everything."""
        # No transaction: what is written between these reads has a later version, and
        # comes whole with the next call.
        with self._reading() as connection:
            version = connection.execute(sql.VERSION, {"study": study}).scalar()
            if version is None:
                raise self._no_study(study)
            if version == since:
                return Changes(version, (), ())
            span = {"study": study, "after": since, "until": version}
            found = connection.execute(sql.NEW_TRIALS, span).all()
            points = connection.execute(sql.NEW_CURVES, span).all()
        return Changes(
            version,
            tuple(rows.trial_from_row(row) for row in found),
            tuple((number, rows.stretch_from(text)) for number, text in points),
        )

    def holdings(self, study: int) -> Sequence[Holding]:
        """The running trials and who holds them."""
        with self._reading() as connection:
            found = connection.execute(sql.HOLDINGS, {"study": study}).all()
        now = time.time()
        return [
            Holding(
                number=number,
                kind=Kind(kind),
                index=index,
                owner=owner,
                attempt=attempt,
                lapsed=until is not None and until < now,
                filled=filled,
            )
            for number, kind, index, owner, attempt, until, filled in found
        ]

    def take(self, study: int, holding: Holding, claim: Claim) -> bool:
        """Makes `claim` the owner of a running trial that its holder has let go."""
        with self._writing() as connection:
            version = self._take_version(connection, study)
            asked = {
                "study": study,
                "n": holding.number,
                "holder": holding.owner,
                "tried": holding.attempt,
                "new_owner": claim.owner,
                "until": _lease_end(claim),
                "v": version,
            }
            if connection.execute(sql.TAKEN, asked).rowcount:
                return True
            connection.rollback()
            return False

    def renew(self, owner: str, lease_s: float) -> None:
        """Prolongs the lease on every running trial that `owner` holds."""
        until = _lease_end(Claim(owner, lease_s))
        with self._writing() as connection:
            connection.execute(sql.RENEWED, {"holder": owner, "until": until})

    def add_note(self, study: int, text: str) -> None:
        """Keeps a remark on a study."""
        row = {"study_id": study, "text": text, "written_s": time.time()}
        with self._writing() as connection:
            connection.execute(insert(notes), row)

    def notes(self, study: int) -> Sequence[Note]:
        """The remarks on a study, oldest first."""
        wanted = select(notes.c.text, notes.c.written_s)
        with self._reading() as connection:
            found = connection.execute(
                wanted.where(notes.c.study_id == study).order_by(notes.c.id)
            ).all()
        return [Note(text, written_s) for text, written_s in found]

    def close(self) -> None:
        """Lets go of the database."""
        self._reader.close()
        self._writer.close()
        self._engine.dispose()

    def check_revision(self) -> None:
        """Brings an older database up to date; raises for a newer one."""
        with self._reading() as connection:
            try:
                found = connection.exec_driver_sql(
                    "SELECT version_num FROM alembic_version"
                ).scalar()
            except DBAPIError as error:
                raise StorageFormat(
                    f"{self._place} has no danlu tables: choose another file"
                ) from error
        if found == HEAD:
            return
        from .migrations import upgrade  # alembic costs 0.5 s: only when needed

        upgrade(self._engine, self._place, found)

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

    def _no_study(self, study: int) -> StorageError:
        return StorageError(f"no study number {study} in {self._place}")

    def _open(self) -> None:
        self._engine = self._connect()
        self._writer = self._engine.connect()
        autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reader = autocommit.connect()
        self._process = os.getpid()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction; what it wrote is on disk when the block is left."""
        if os.getpid() != self._process:
            self._open()
        with translated(self._place), self._writer.begin():
            yield self._writer

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if os.getpid() != self._process:
            self._open()
        with translated(self._place):
            yield self._reader


def _reserved_row(
    study: int, reserved: Reserved, version: int, kind: Kind, claim: Claim
) -> dict[str, Any]:
    blank = Trial(reserved.number, {}, kind=kind, index=reserved.index)
    row = {**rows.filled_columns(blank), "kind": kind.value, "index": reserved.index}
    place = {"study_id": study, "number": reserved.number, "version": version}
    held = {"owner": claim.owner, "lease_until_s": _lease_end(claim)}
    return {**row, **place, **held, "params": None}


def _new(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row under the names that the statements give to new values."""
    return {f"new_{name}": value for name, value in row.items()}


def _lease_end(claim: Claim | None) -> float | None:
    if claim is None or claim.lease_s is None:
        return None
    return time.time() + claim.lease_s


def _check_transition(before: Trial, after: Trial) -> None:
    if after.state not in TRANSITIONS[before.state]:
        raise TrialError(
            f"trial {before.number} is {before.state.value} and cannot become "
            f"{after.state.value}"
        )
