"""Credentials remember the one before them, and how a broker keeps them."""

import sqlalchemy as sa
from alembic import op

from storage.rows import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what was issued before has neither."""
    with op.batch_alter_table("credentials", schema=None) as batch_op:
        batch_op.add_column(sa.Column("issued_at", Instant(), nullable=True))
        batch_op.add_column(sa.Column("former", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("broker", sa.Text(), nullable=False, server_default=""))
