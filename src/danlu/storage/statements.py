"""The SQL statements of the hot paths, built once."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Float,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal_column,
    null,
    select,
    union_all,
    update,
)

from ..trial import State
from . import rows
from .clock import epoch_now
from .tables import curves, studies, trials

_STUDY: BindParameter[int] = bindparam("study")
_NUMBER: BindParameter[int] = bindparam("n")
_THIS_TRIAL = and_(trials.c.study_id == _STUDY, trials.c.number == _NUMBER)
_RUNNING = trials.c.state == State.RUNNING.value
_NEXT = {
    studies.c.version: studies.c.version + 1,
    studies.c.next_number: studies.c.next_number + 1,
    studies.c.next_index: studies.c.next_index + bindparam("more"),
}

# A lease of None never ends: NULL stays NULL.
_LEASE_END = epoch_now() + bindparam("lease_s", type_=Float)

NEXT_VERSION = (
    update(studies)
    .where(studies.c.id == _STUDY)
    .values(version=studies.c.version + 1)
    .returning(studies.c.version)
)
NEXT_NUMBER = (
    update(studies)
    .where(studies.c.id == _STUDY)
    .values(_NEXT)
    .returning(studies.c.version, studies.c.next_number, studies.c.next_index)
)
OF_KIND = (
    select(func.count())
    .select_from(trials)
    .where(trials.c.study_id == _STUDY, trials.c.kind == bindparam("kind"))
)

RESERVED = insert(trials).values(
    {name: bindparam(name) for name in (*rows.RESERVED_COLUMNS, "owner")}
    | {"lease_until_s": _LEASE_END}
)
UNFILLED = select(trials.c.number, trials.c.index).where(
    trials.c.study_id == _STUDY,
    trials.c.owner == bindparam("holder"),
    trials.c.params.is_(None),
    _RUNNING,
)
REPORTED = (
    insert(curves)
    .from_select(
        ["study_id", "version", "number", "points"],
        select(
            trials.c.study_id,
            bindparam("v", type_=BigInteger),
            trials.c.number,
            bindparam("points", type_=Text),
        ).where(_THIS_TRIAL, _RUNNING, trials.c.attempt == bindparam("tried")),
    )
    .returning(curves.c.number)
)
STANDING = select(trials.c.state, trials.c.attempt).where(_THIS_TRIAL)
RELEASED = delete(trials).where(_THIS_TRIAL, trials.c.params.is_(None))
RECOUNTED = (
    update(studies)
    .where(studies.c.id == _STUDY)
    .values(
        next_number=select(func.coalesce(func.max(trials.c.number) + 1, 0))
        .where(trials.c.study_id == _STUDY)
        .scalar_subquery(),
        next_index=select(func.coalesce(func.max(trials.c.index) + 1, 0))
        .where(trials.c.study_id == _STUDY)
        .scalar_subquery(),
    )
)
TAKEN = (
    update(trials)
    .where(_THIS_TRIAL, _RUNNING)
    .where(trials.c.owner == bindparam("holder"))
    .where(trials.c.attempt == bindparam("tried"))
    .values(
        owner=bindparam("new_owner"),
        lease_until_s=_LEASE_END,
        attempt=trials.c.attempt + 1,
        version=bindparam("v"),
    )
)
HELD = (
    select(func.count())
    .select_from(trials)
    .where(_THIS_TRIAL, _RUNNING)
    .where(trials.c.owner == bindparam("holder"))
    .where(trials.c.attempt == bindparam("tried"))
)
RENEWED = (
    update(trials)
    .where(trials.c.owner == bindparam("holder"), _RUNNING)
    .values(lease_until_s=_LEASE_END)
)
HOLDINGS = select(
    trials.c.number,
    trials.c.kind,
    trials.c.index,
    trials.c.owner,
    trials.c.attempt,
    trials.c.lease_until_s < epoch_now(),  # NULL without a lease
    trials.c.params.is_not(None),
).where(trials.c.study_id == _STUDY, _RUNNING)

_SHARED = (curves.c.version, *(trials.c[name] for name in rows.TRIAL_COLUMNS))
_AFTER = bindparam("after", type_=BigInteger)


def _part(what: int, **known: ColumnElement[Any]) -> Select[Any]:
    """One kind of news in the columns that all kinds share."""
    absent = (known.get(own.name, cast(null(), own.type)) for own in _SHARED)
    return select(literal_column(str(what)).label("what"), *absent)


# All that is new, in one statement: so it sees one state of the database.
OF_STUDY, OF_TRIAL, OF_CURVE = 0, 1, 2
NEWS = union_all(
    _part(OF_STUDY, version=studies.c.version).where(studies.c.id == _STUDY),
    select(
        literal_column(str(OF_TRIAL)),
        trials.c.version,
        *(trials.c[name] for name in rows.TRIAL_COLUMNS),
    )
    .where(trials.c.study_id == _STUDY)
    .where(trials.c.version > _AFTER)
    .where(trials.c.params.is_not(None)),
    _part(
        OF_CURVE,
        version=curves.c.version,
        number=curves.c.number,
        params=curves.c.points,
    )
    .where(curves.c.study_id == _STUDY)
    .where(curves.c.version > _AFTER),
)
_THIS_CURVE = and_(curves.c.study_id == _STUDY, curves.c.number == _NUMBER)
STRETCHES = select(curves.c.points).where(_THIS_CURVE).order_by(curves.c.version)
WITHOUT_STRETCHES = delete(curves).where(_THIS_CURVE)


_AS_SAID = and_(
    _THIS_TRIAL,
    trials.c.state == bindparam("was"),
    trials.c.attempt == bindparam("tried"),
)
AS_WRITTEN = select(trials.c.number).where(
    _AS_SAID,
    trials.c.owner == bindparam("holder"),
    trials.c.ended_s.is_not_distinct_from(bindparam("ended_s", type_=Float)),
)


@cache
def written(columns: tuple[str, ...]) -> Update:
    """Writes `columns` of one trial."""
    return _setting(columns).where(_THIS_TRIAL)


@cache
def moved(columns: tuple[str, ...]) -> Update:
    """Writes `columns` and the lease of one trial if it is as said."""
    return _setting(columns).values(lease_until_s=_LEASE_END).where(_AS_SAID)


def _setting(columns: tuple[str, ...]) -> Update:
    return update(trials).values({name: bindparam(f"new_{name}") for name in columns})
