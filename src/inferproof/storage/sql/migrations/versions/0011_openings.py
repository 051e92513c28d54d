"""How often each key was opened, counted by ranges, and secrets by which copies are told."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "opening_stores",
        sa.Column("key", sa.String(length=66), nullable=False),
        sa.Column("secret", sa.String(length=66), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_opening_stores")),
    )
    op.create_table(
        "opening_ranges",
        sa.Column("key", sa.String(length=66), nullable=False),
        sa.Column("first", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("store", sa.String(length=66), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.Column("delegated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "first", name=op.f("pk_opening_ranges")),
    )
