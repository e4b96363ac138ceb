"""What people say of studies, in tables that nothing else follows: notes, decisions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from ..jsontext import dumps, loads
from .base import DecisionRecord, Note
from .session import Session
from .tables import decisions, notes


def add_note(session: Session, study: int, text: str) -> None:
    """Keeps a remark on a study."""
    row = {"study_id": study, "text": text, "written_s": time.time()}
    _added(session, notes, row)


def notes_of(session: Session, study: int) -> Sequence[Note]:
    """The remarks on a study, oldest first."""
    columns = select(notes.c.text, notes.c.written_s)
    wanted = columns.where(notes.c.study_id == study).order_by(notes.c.id)
    found = session.read(lambda own: own.execute(wanted).all())
    return [Note(text, written_s) for text, written_s in found]


def add_decision(
    session: Session, study: int, document: Mapping[str, Any]
) -> DecisionRecord:
    """Keeps what was decided about a study."""
    written_s = time.time()
    text = dumps(document)
    row = {"study_id": study, "document": text, "written_s": written_s}
    return DecisionRecord(
        _added(session, decisions, row), study, loads(text), written_s
    )


def all_decisions(session: Session) -> Sequence[DecisionRecord]:
    """The decisions about all studies, oldest first."""
    own = decisions.c
    wanted = select(own.id, own.study_id, own.document, own.written_s).order_by(own.id)
    found = session.read(lambda connection: connection.execute(wanted).all())
    return [
        DecisionRecord(id_, study, loads(document), written_s)
        for id_, study, document, written_s in found
    ]


def _added(session: Session, table: Table, row: Mapping[str, Any]) -> int:
    """The number of a row that is written once, however often the write is tried."""

    def add(connection: Connection, again: bool) -> int:
        same = select(table.c.id).where(table.c.study_id == row["study_id"])
        done = connection.execute(same.where(table.c.written_s == row["written_s"]))
        if again and (found := done.scalar()) is not None:
            return int(found)
        added = connection.execute(insert(table).returning(table.c.id), dict(row))
        return int(added.scalar_one())

    return session.write(add)
