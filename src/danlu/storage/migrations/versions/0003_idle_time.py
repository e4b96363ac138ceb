"""The time in which nobody trained a trial that waited between two attempts."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the column; of trials that have waited before, nothing is known."""
    idle_s = sa.Column("idle_s", sa.Float, nullable=False, server_default="0")
    op.add_column("trials", idle_s)
