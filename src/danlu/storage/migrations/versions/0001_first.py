"""The first schema: studies, trials, curves, notes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "studies",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("statement", sa.Text, nullable=False),
        sa.Column("created_s", sa.Float, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("next_number", sa.BigInteger, nullable=False),
        sa.Column("next_index", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "trials",
        sa.Column(
            "study_id", sa.Integer, sa.ForeignKey("studies.id"), primary_key=True
        ),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("params", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("index", sa.BigInteger),
        sa.Column("budget", sa.BigInteger),
        sa.Column("parent", sa.BigInteger),
        sa.Column("first_step", sa.BigInteger, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("waiting", sa.Boolean, nullable=False),
        sa.Column("sampler_note", sa.Text),
        sa.Column("scheduler_note", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("started_s", sa.Float),
        sa.Column("ended_s", sa.Float),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("lease_until_s", sa.Float),
        sqlite_with_rowid=False,
    )
    op.create_index("trials_by_version", "trials", ["study_id", "version"])
    op.create_table(
        "curves",
        sa.Column(
            "study_id", sa.Integer, sa.ForeignKey("studies.id"), primary_key=True
        ),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("points", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("curves_by_trial", "curves", ["study_id", "number"])
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("study_id", sa.Integer, sa.ForeignKey("studies.id"), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("written_s", sa.Float, nullable=False),
    )
