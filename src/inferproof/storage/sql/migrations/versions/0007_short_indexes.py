"""Indexes without the rows that have nothing in their column, which nearly all rows are."""

from alembic import op

from inferproof.storage.sql.constructs import having

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    name = op.f("uq_payment_reservations_payer_payment_id")
    with op.batch_alter_table("payment_reservations") as reservations:
        reservations.drop_constraint(name, type_="unique")
    _create(name, "payment_reservations", ["payer", "payment_id"], unique=True)
    for table, column in (("settlements", "block"), ("settlements", "step"), ("refunds", "block")):
        name = op.f(f"ix_{table}_{column}")
        op.drop_index(name, table_name=table)
        _create(name, table, [column])


def _create(name: str, table: str, columns: list[str], *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, **having(columns[-1]))
