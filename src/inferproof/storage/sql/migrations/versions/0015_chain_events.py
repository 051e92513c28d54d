"""Events of contracts, the blocks that they are in, and how far each set of contracts was read."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "event_sets",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=66), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("covered", sa.Text(), nullable=False),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.Column("confirmed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_event_sets")),
        sa.UniqueConstraint("digest", name=op.f("uq_event_sets_digest")),
    )
    op.create_table(
        "event_blocks",
        sa.Column("event_set", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=66), nullable=False),
        sa.Column("parent", sa.String(length=66), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        _of_a_set("event_blocks"),
        sa.PrimaryKeyConstraint("event_set", "block", name=op.f("pk_event_blocks")),
    )
    op.create_table(
        "chain_events",
        sa.Column("event_set", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_hash", sa.String(length=66), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("tx", sa.String(length=66), nullable=False),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("topic", sa.String(length=66), nullable=True),
        sa.Column("topics", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        _of_a_set("chain_events"),
        sa.PrimaryKeyConstraint("event_set", "block", "log_index", name=op.f("pk_chain_events")),
    )
    for column in ("address", "topic"):
        op.create_index(
            op.f(f"ix_chain_events_event_set_{column}_block_log_index"),
            "chain_events",
            ["event_set", column, "block", "log_index"],
        )
    op.create_table(
        "chain_event_keys",
        sa.Column("event_set", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=66), nullable=False),
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        _of_a_set("chain_event_keys"),
        sa.PrimaryKeyConstraint(
            "event_set", "key", "block", "log_index", name=op.f("pk_chain_event_keys")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_chain_event_keys_event_set_block"), "chain_event_keys", ["event_set", "block"]
    )


def _of_a_set(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["event_set"], ["event_sets.number"], name=op.f(f"fk_{table}_event_set_event_sets")
    )
