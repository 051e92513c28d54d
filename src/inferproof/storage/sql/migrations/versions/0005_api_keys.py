"""Keys that callers are known and limited by, and the turn in which waiting jobs are taken."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=66), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("factor", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    # Jobs that wait from before keep their place: they come first, in their old order.
    op.add_column(
        "jobs", sa.Column("turn", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column("jobs", sa.Column("api_key", sa.String(length=16), nullable=True))
    op.drop_index(op.f("ix_jobs_state_number"), table_name="jobs")
    op.create_index(op.f("ix_jobs_state_turn_number"), "jobs", ["state", "turn", "number"])
