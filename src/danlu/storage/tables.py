"""The tables: studies, trials, stretches of curves, notes, decisions.

A study's row carries its `version` and the next number to give out. Every write of a
study takes a version by updating that row first, which locks it: so the order of
versions is the order of commits, and a follower of versions misses nothing.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

HEAD = "0003"  # the newest revision in `migrations/versions`, which make these tables

metadata = MetaData()

studies = Table(
    "studies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("statement", Text, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("next_number", BigInteger, nullable=False),
    Column("next_index", BigInteger, nullable=False),
)

trials = Table(
    "trials",
    metadata,
    Column("study_id", Integer, ForeignKey("studies.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("params", Text),  # JSON; NULL until the sampler has answered
    Column("state", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("index", BigInteger),
    Column("budget", BigInteger),
    Column("parent", BigInteger),
    Column("first_step", BigInteger, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("waiting", Boolean, nullable=False),
    Column("sampler_note", Text),  # JSON; NULL for an empty one
    Column("scheduler_note", Text),
    Column("reason", Text, nullable=False),
    Column("started_s", Float),
    Column("ended_s", Float),
    Column("idle_s", Float, nullable=False, server_default="0"),
    Column("host", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("lease_until_s", Float),  # NULL never lapses
    Index("trials_by_version", "study_id", "version"),
    sqlite_with_rowid=False,
)

# The reports of a trial as stretches of its curves, one row for each batch that was
# saved; when the trial ends, those saved before become one.
curves = Table(
    "curves",
    metadata,
    Column("study_id", Integer, ForeignKey("studies.id"), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("points", Text, nullable=False),  # JSON: {metric: [steps, values]}
    Index("curves_by_trial", "study_id", "number"),
    sqlite_with_rowid=False,
)

notes = Table(
    "notes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_id", Integer, ForeignKey("studies.id"), nullable=False),
    Column("text", Text, nullable=False),
    Column("written_s", Float, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_id", Integer, ForeignKey("studies.id"), nullable=False),
    Column("document", Text, nullable=False),  # JSON
    Column("written_s", Float, nullable=False),
)
