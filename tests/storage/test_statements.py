"""How SQLite finds what the statements of the hot paths ask for."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Executable
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

import danlu
from danlu.storage import statements as sql

# Of each trial or report; none may look at all rows of a study.
HOT = {
    "changes": sql.NEWS,
    "one trial": sql.NEWS_OF_ONE,
    "curves of a trial": sql.STRETCHES,
    "joining them": sql.JOINED,
    "dropping the earlier ones": sql.WITHOUT_EARLIER,
    "a report": sql.REPORTED,
    "the last report": sql.LAST_POINTS,
    "a number": sql.RESERVED_SEARCH,
    "how a trial stands": sql.STANDING,
}


@pytest.mark.parametrize("asked", HOT.values(), ids=HOT)
def test_no_statement_of_a_hot_path_looks_at_a_whole_study(
    asked: Executable, tmp_path: Path
) -> None:
    danlu.open(tmp_path / "a.db").close()
    compiled = asked.compile(dialect=SQLiteDialect_pysqlite(paramstyle="named"))  # type: ignore[attr-defined]
    values = dict.fromkeys(compiled.params, 0)

    with sqlite3.connect(tmp_path / "a.db") as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {compiled}", values)
        steps = [row[3] for row in plan]

    searches = [step for step in steps if step.startswith(("SEARCH", "SCAN"))]
    assert searches
    assert all("SEARCH" in step for step in searches)
    assert [step for step in searches if step.endswith("(study_id=?)")] == []
