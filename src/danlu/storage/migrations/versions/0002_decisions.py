"""Decisions: what was concluded of a study, and whether it moved the baseline."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("study_id", sa.Integer, sa.ForeignKey("studies.id"), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("written_s", sa.Float, nullable=False),
    )
