"""Brings a database that an older danlu made up to date, through Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Engine, text

from ...errors import StorageFormat


def scripts() -> ScriptDirectory:
    """The revisions in `versions/`, one file each."""
    return ScriptDirectory(str(Path(__file__).parent))


def upgrade(engine: Engine, place: str, found: str | None) -> None:
    """Applies every revision after `found`, all of them or none.

    Raises:
        StorageFormat: `found` is no revision of ours: a newer danlu made the database.
    """
    known = {script.revision: script for script in scripts().walk_revisions()}
    if found is not None and found not in known:
        raise StorageFormat(
            f"{place} was written by a newer danlu (schema {found}): "
            "upgrade danlu to read it"
        )
    with engine.begin() as connection:
        if found is not None and engine.dialect.name == "postgresql":
            # SQLite's transactions wait for one another from their start.
            connection.execute(text("LOCK TABLE alembic_version"))
        context = MigrationContext.configure(connection)
        current = context.get_current_revision()  # another process may have been first
        with Operations.context(context):
            for script in _after(current, known):
                script.module.upgrade()
                context.stamp(scripts(), script.revision)


def _after(found: str | None, known: dict[str, Script]) -> list[Script]:
    """The revisions that follow `found`, oldest first."""
    path: list[Script] = []
    revision = scripts().get_current_head()
    while revision is not None and revision != found:
        script = known[revision]
        path.append(script)
        revision = script.down_revision  # type: ignore[assignment]  # a single line
    return path[::-1]
