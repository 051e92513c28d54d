"""Deliveries of orders in an escrow, and until when each is made. Of other jobs it is null."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("deliver_by", sa.BigInteger(), nullable=True))
    op.create_table(
        "order_deliveries",
        sa.Column("job", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("deliver_by", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("outbox", _NUMBER, nullable=True),
        sa.Column("tx", sa.String(length=66), nullable=True),
        sa.Column("block", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("failure_code", sa.String(length=64), nullable=True),
        sa.Column("failure_message", sa.Text(), nullable=True),
        sa.Column("failure_facts", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["job"], ["jobs.number"], name="fk_order_deliveries_job_jobs"),
        sa.ForeignKeyConstraint(
            ["outbox"], ["outbox.number"], name="fk_order_deliveries_outbox_outbox"
        ),
        sa.PrimaryKeyConstraint("job", name="pk_order_deliveries"),
    )
    op.create_index("ix_order_deliveries_outbox", "order_deliveries", ["outbox"])
    op.create_index(
        "ix_order_deliveries_state_deliver_by", "order_deliveries", ["state", "deliver_by"]
    )
