"""Settlements, steps and what transactions carry, by the numbers of their jobs."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from inferproof.storage.sql.constructs import having

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JOB = sa.Column("job", _NUMBER, autoincrement=False, nullable=False)


def _job(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["job"], ["jobs.number"], name=op.f(f"fk_{table}_job_jobs"))


_SETTLEMENTS = (
    _JOB,
    sa.Column("state", sa.String(length=16), nullable=False),
    sa.Column("tx", sa.String(length=66), nullable=True),
    sa.Column("block", sa.BigInteger(), nullable=True),
    sa.Column("updated_at", sa.BigInteger(), nullable=False),
    sa.Column("step", sa.String(length=16), nullable=True),
    sa.Column("doubted_at", sa.BigInteger(), nullable=True),
)
_EVENTS = (
    _JOB,
    sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
    sa.Column("transition", sa.String(length=32), nullable=False),
    sa.Column("state", sa.String(length=16), nullable=False),
    sa.Column("at", sa.BigInteger(), nullable=False),
)
_CARRIED = (
    sa.Column("outbox", _NUMBER, nullable=False),
    sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
    _JOB,
)


def upgrade() -> None:
    _make_anew(
        "settlements", _SETTLEMENTS, sa.PrimaryKeyConstraint("job", name=op.f("pk_settlements"))
    )
    for column in ("block", "step"):
        name = op.f(f"ix_settlements_{column}")
        op.create_index(name, "settlements", [column], unique=False, **having(column))
    _make_anew(
        "job_events",
        _EVENTS,
        sa.PrimaryKeyConstraint("job", "seq", name=op.f("pk_job_events")),
        sqlite_with_rowid=False,
    )
    _make_anew(
        "outbox_jobs",
        _CARRIED,
        sa.PrimaryKeyConstraint("outbox", "position", name=op.f("pk_outbox_jobs")),
        sa.ForeignKeyConstraint(
            ["outbox"], ["outbox.number"], name=op.f("fk_outbox_jobs_outbox_outbox")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_outbox_jobs_job"), "outbox_jobs", ["job"], unique=False)


def _make_anew(
    table: str,
    columns: tuple[sa.Column[Any], ...],
    *constraints: sa.Constraint,
    **options: bool,
) -> None:
    """The table with these columns and the rows that it has. Its names are free once it is gone,
    so the rows are put aside meanwhile."""
    names = ", ".join(column.name for column in columns)
    rest = ", ".join(f"{table}.{column.name}" for column in columns if column.name != "job")
    op.execute(
        f"CREATE TABLE put_aside AS SELECT jobs.number AS job, {rest} "  # noqa: S608
        f"FROM {table} JOIN jobs ON jobs.job_id = {table}.job_id"
    )
    op.drop_table(table)
    made = [column._copy() for column in columns]
    op.create_table(table, *made, *constraints, _job(table), **options)
    op.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM put_aside")  # noqa: S608
    op.drop_table("put_aside")
