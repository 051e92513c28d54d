"""Prices of models by a registry on a chain, and when it was asked. Of before there are none."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("models", sa.Column("listed_price", sa.BigInteger(), nullable=True))
    op.create_table(
        "followed_registries",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("registry", sa.String(length=42), nullable=False),
        sa.Column("token", sa.String(length=42), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "network", "registry", "token", name=op.f("pk_followed_registries")
        ),
    )
