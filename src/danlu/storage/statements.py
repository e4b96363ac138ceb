"""The SQL statements of the hot paths, built once."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Float,
    Insert,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    union_all,
    update,
)

from ..trial import State
from . import rows
from .clock import epoch_now, up_since
from .tables import curves, studies, trials

_STUDY: BindParameter[int] = bindparam("study")
_NUMBER: BindParameter[int] = bindparam("n")
_THIS_TRIAL = and_(trials.c.study_id == _STUDY, trials.c.number == _NUMBER)
_RUNNING = trials.c.state == State.RUNNING.value
# A lease of None never ends: NULL stays NULL.
_LEASE_END = epoch_now() + bindparam("lease_s", type_=Float)

NEXT_VERSION = (
    update(studies)
    .where(studies.c.id == _STUDY)
    .values(version=studies.c.version + 1)
    .returning(studies.c.version)
)
# The version that the study has by now: within a write, the one that it has taken.
_VERSION = select(studies.c.version).where(studies.c.id == _STUDY).scalar_subquery()

# A number is given out by three statements: the study's row is locked, the trial
# written where the limit allows it, and the study counted on if there is that trial.
LOCKED = (
    select(studies.c.version)
    .where(studies.c.id == _STUDY)
    .with_for_update(key_share=True)
)


def _reserved(index: ColumnElement[Any], before: ColumnElement[int]) -> Insert:
    """Writes a trial with the study's next number if fewer than `limit` are before."""
    own = {name: bindparam(name, type_=trials.c[name].type) for name in rows.RESERVED}
    row: dict[str, ColumnElement[Any]] = {
        **own,
        "study_id": studies.c.id,
        "version": studies.c.version + 1,
        "number": studies.c.next_number,
        "index": index,
        "lease_until_s": _LEASE_END,
    }
    chosen = select(*row.values()).where(studies.c.id == _STUDY)
    allowed = chosen.where(before < bindparam("limit", type_=BigInteger))
    return (
        insert(trials)
        .from_select(list(row), allowed)
        .returning(trials.c.number, trials.c.index)
    )


_OF_KIND = (
    select(func.count())
    .select_from(trials)
    .where(trials.c.study_id == _STUDY, trials.c.kind == bindparam("kind"))
    .scalar_subquery()
)
RESERVED_SEARCH = _reserved(studies.c.next_index, studies.c.next_index)
RESERVED_OTHER = _reserved(cast(null(), BigInteger), _OF_KIND)
COUNTED = (
    update(studies)
    .where(studies.c.id == _STUDY)
    .where(
        exists().where(
            trials.c.study_id == studies.c.id,
            trials.c.number == studies.c.next_number,
        )
    )
    .values(
        version=studies.c.version + 1,
        next_number=studies.c.next_number + 1,
        next_index=studies.c.next_index + bindparam("more", type_=BigInteger),
    )
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
            _VERSION,
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
# Leases that end before have lapsed: none yet where the server has just come up.
_LAPSED_BEFORE = case(
    (up_since() + bindparam("grace_s", type_=Float) < epoch_now(), epoch_now()),
    else_=0.0,
)
HOLDINGS = select(
    trials.c.number,
    trials.c.kind,
    trials.c.index,
    trials.c.owner,
    trials.c.attempt,
    trials.c.lease_until_s < _LAPSED_BEFORE,  # NULL without a lease
    trials.c.params.is_not(None),
).where(trials.c.study_id == _STUDY, _RUNNING)

_SHARED = (curves.c.version, *(trials.c[name] for name in rows.TRIAL_COLUMNS))
_AFTER = bindparam("after", type_=BigInteger)


def _part(what: int, **known: ColumnElement[Any]) -> Select[Any]:
    """One kind of news in the columns that all kinds share."""
    absent = (known.get(own.name, cast(null(), own.type)) for own in _SHARED)
    return select(literal_column(str(what)).label("what"), *absent)


_THE_STUDY = _part(rows.OF_STUDY, version=studies.c.version).where(
    studies.c.id == _STUDY
)
_TRIALS = select(
    literal_column(str(rows.OF_TRIAL)),
    trials.c.version,
    *(trials.c[name] for name in rows.TRIAL_COLUMNS),
).where(trials.c.params.is_not(None))
_CURVES = _part(
    rows.OF_CURVE,
    version=curves.c.version,
    number=curves.c.number,
    params=curves.c.points,
).where(curves.c.study_id == _STUDY)
_THIS_CURVE = and_(curves.c.study_id == _STUDY, curves.c.number == _NUMBER)
# By their versions, which the index has; else SQLite would look at the whole study.
_OF_THIS_CURVE = curves.c.version.in_(select(curves.c.version).where(_THIS_CURVE))

# All that is new, in one statement: so it sees one state of the database.
NEWS = union_all(
    _THE_STUDY,
    _TRIALS.where(trials.c.study_id == _STUDY, trials.c.version > _AFTER),
    _CURVES.where(curves.c.version > _AFTER),
)
NEWS_OF_ONE = union_all(
    _THE_STUDY, _TRIALS.where(_THIS_TRIAL), _CURVES.where(_OF_THIS_CURVE)
)
STRETCHES = (
    select(curves.c.version, curves.c.points)
    .where(curves.c.study_id == _STUDY, _OF_THIS_CURVE)
    .order_by(curves.c.version)
)

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
# After `moved` in one batch: it is this write that moved the trial.
_MOVED = and_(_THIS_TRIAL, trials.c.version == _VERSION)
LAST_POINTS = insert(curves).from_select(
    ["study_id", "version", "number", "points"],
    select(
        trials.c.study_id,
        trials.c.version,
        trials.c.number,
        bindparam("points", type_=Text),
    ).where(_MOVED),
)
# All stretches up to one become that one. Those who know it need not read it again,
# and one that was reported meanwhile stays after it.
_SEEN: BindParameter[int] = bindparam("seen", type_=BigInteger)
JOINED = (
    update(curves)
    .where(_THIS_CURVE, curves.c.version == _SEEN, exists().where(_MOVED))
    .values(points=bindparam("joined"))
)
WITHOUT_EARLIER = delete(curves).where(
    _THIS_CURVE, curves.c.version < _SEEN, exists().where(_MOVED)
)


@cache
def filled(columns: tuple[str, ...]) -> Update:
    """Writes `columns` of one trial."""
    return _setting(columns).where(_THIS_TRIAL)


@cache
def filled_alone(columns: tuple[str, ...]) -> Update:
    """Writes `columns` of one trial if it is the first with its note; its number.

    That is, the first since a version. One that is written already stays the first.
    """
    other = trials.alias("other")
    same_note = exists().where(
        other.c.study_id == _STUDY,
        other.c.version > bindparam("alone_since", type_=BigInteger),
        other.c.number != _NUMBER,
        other.c.scheduler_note == bindparam("new_scheduler_note"),
    )
    is_first = or_(trials.c.params.is_not(None), ~same_note)
    return filled(columns).where(is_first).returning(trials.c.number)


@cache
def moved(columns: tuple[str, ...]) -> Update:
    """Writes `columns` and the lease of one trial if it is as said; its number."""
    setting = _setting(columns).values(lease_until_s=_LEASE_END)
    return setting.where(_AS_SAID).returning(trials.c.number)


def _setting(columns: tuple[str, ...]) -> Update:
    own: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    return update(trials).values(own).values(version=_VERSION)
