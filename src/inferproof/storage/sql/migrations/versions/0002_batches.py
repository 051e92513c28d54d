"""Many settlements in one transaction, and transactions that replace others."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # SQLite changes a table by making it anew, which nothing may refer to at the time.
    op.execute(
        "CREATE TABLE outbox_0001 AS "
        "SELECT number, job_id, tx, raw, attempts, created_at, sent_at FROM outbox"
    )
    op.execute(
        "CREATE TABLE included_0001 AS SELECT number, tx FROM outbox WHERE state = 'included'"
    )
    op.drop_index(op.f("ix_outbox_job_id"), table_name="outbox")
    with op.batch_alter_table("outbox") as outbox:
        outbox.drop_constraint(op.f("uq_outbox_tx"), type_="unique")
        outbox.drop_constraint(op.f("fk_outbox_job_id_jobs"), type_="foreignkey")
        for name in ("job_id", "tx", "raw", "attempts", "sent_at"):
            outbox.drop_column(name)
        outbox.add_column(sa.Column("included_tx", sa.String(length=66), nullable=True))
        outbox.add_column(sa.Column("block", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_outbox_block"), "outbox", ["block"], unique=False)
    _new_tables()
    _settlements_and_refunds()
    _move_what_is_there()


def _new_tables() -> None:
    op.create_table(
        "outbox_raws",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("outbox", NUMBER, nullable=False),
        sa.Column("tx", sa.String(length=66), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("fee_cap", sa.String(length=78), nullable=False),
        sa.Column("fee_tip", sa.String(length=78), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["outbox"], ["outbox.number"], name=op.f("fk_outbox_raws_outbox_outbox")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_outbox_raws")),
        sa.UniqueConstraint("tx", name=op.f("uq_outbox_raws_tx")),
    )
    op.create_index(op.f("ix_outbox_raws_outbox"), "outbox_raws", ["outbox"], unique=False)
    op.create_table(
        "outbox_jobs",
        sa.Column("outbox", NUMBER, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("job_id", sa.String(length=66), nullable=False),
        sa.ForeignKeyConstraint(
            ["outbox"], ["outbox.number"], name=op.f("fk_outbox_jobs_outbox_outbox")
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.job_id"], name=op.f("fk_outbox_jobs_job_id_jobs")
        ),
        sa.PrimaryKeyConstraint("outbox", "position", name=op.f("pk_outbox_jobs")),
    )
    op.create_index(op.f("ix_outbox_jobs_job_id"), "outbox_jobs", ["job_id"], unique=False)
    op.create_table(
        "watched_blocks",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=66), nullable=False),
        sa.PrimaryKeyConstraint("network", "block", name=op.f("pk_watched_blocks")),
    )


def _settlements_and_refunds() -> None:
    op.add_column("settlements", sa.Column("step", sa.String(length=16), nullable=True))
    op.add_column("settlements", sa.Column("doubted_at", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_settlements_step"), "settlements", ["step"], unique=False)
    op.create_index(op.f("ix_settlements_block"), "settlements", ["block"], unique=False)
    op.add_column(
        "refunds", sa.Column("attempts", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column(
        "refunds", sa.Column("retry_at", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.create_index(op.f("ix_refunds_block"), "refunds", ["block"], unique=False)


def _move_what_is_there() -> None:
    # The fees of older transactions were not kept: as the lowest, they are raised to today's.
    op.execute(
        "INSERT INTO outbox_raws "
        "(outbox, tx, raw, fee_cap, fee_tip, attempts, created_at, sent_at) "
        "SELECT number, tx, raw, '0', '0', attempts, created_at, sent_at "
        "FROM outbox_0001 ORDER BY number"
    )
    op.execute(
        "INSERT INTO outbox_jobs (outbox, position, job_id) "
        "SELECT number, 0, job_id FROM outbox_0001"
    )
    op.execute(
        "UPDATE outbox SET included_tx = "
        "(SELECT tx FROM included_0001 WHERE included_0001.number = outbox.number)"
    )
    op.execute(
        "UPDATE settlements SET step = 'sent' WHERE job_id IN "
        "(SELECT jobs.job_id FROM jobs WHERE jobs.state = 'settling')"
    )
    op.drop_table("included_0001")
    op.drop_table("outbox_0001")
