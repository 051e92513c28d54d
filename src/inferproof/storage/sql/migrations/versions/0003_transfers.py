"""Payments by a transfer that was made before."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite cannot take a NOT NULL away; there the table is copied.
    with op.batch_alter_table("payment_reservations") as table:
        table.alter_column("valid_after", existing_type=sa.String(length=78), nullable=True)
        table.alter_column("valid_before", existing_type=sa.String(length=78), nullable=True)
        table.add_column(sa.Column("tx", sa.String(length=66), nullable=True))
        table.add_column(sa.Column("log_index", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("log_named", sa.Boolean(), nullable=True))
