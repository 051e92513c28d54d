"""The ledger of revenue: entries of settled orders, payouts, and what each payout pays."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "payouts",
        sa.Column("number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("token", sa.String(length=42), nullable=False),
        sa.Column("payer", sa.String(length=42), nullable=False),
        sa.Column("contract", sa.String(length=42), nullable=False),
        sa.Column("first_block", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.BigInteger(), nullable=False),
        sa.Column("outbox", _NUMBER, nullable=True),
        sa.Column("found_tx", sa.String(length=66), nullable=True),
        sa.Column("found_block", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["outbox"], ["outbox.number"], name="fk_payouts_outbox_outbox"),
        sa.PrimaryKeyConstraint("number", name="pk_payouts"),
    )
    op.create_index("ix_payouts_outbox", "payouts", ["outbox"])
    op.create_table(
        "payout_items",
        sa.Column("payout", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("developer", sa.String(length=42), nullable=False),
        sa.Column("amount", sa.String(length=78), nullable=False),
        sa.Column("credited", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["payout"], ["payouts.number"], name="fk_payout_items_payout_payouts"
        ),
        sa.PrimaryKeyConstraint("payout", "position", name="pk_payout_items"),
    )
    op.create_table(
        "revenue",
        sa.Column("job", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("developer", sa.String(length=42), nullable=False),
        sa.Column("developer_share", sa.String(length=78), nullable=False),
        sa.Column("platform_share", sa.String(length=78), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("payout", _NUMBER, nullable=True),
        sa.ForeignKeyConstraint(["job"], ["jobs.number"], name="fk_revenue_job_jobs"),
        sa.ForeignKeyConstraint(["payout"], ["payouts.number"], name="fk_revenue_payout_payouts"),
        sa.PrimaryKeyConstraint("job", name="pk_revenue"),
    )
    op.create_index("ix_revenue_payout", "revenue", ["payout"])
