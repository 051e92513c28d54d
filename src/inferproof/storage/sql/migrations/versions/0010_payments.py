"""Payments kept alike, whatever their method: its name, and one text that only it reads."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_AUTHORIZATION = (
    """'{"nonce":"' || nonce || '","validAfter":"' || valid_after"""
    """ || '","validBefore":"' || valid_before || '"}'"""
)
_TRANSFER = (
    """'{"logIndex":' || CAST(log_index AS TEXT) || ',"logNamed":'"""
    """ || CASE WHEN log_named THEN 'true' ELSE 'false' END"""
    """ || ',"transaction":"' || tx || '"}'"""
)
"""Canonical JSON: all its parts are hex digits, decimal digits and words."""


def upgrade() -> None:
    with op.batch_alter_table("payment_reservations") as table:
        table.add_column(sa.Column("method", sa.String(length=32), nullable=True))
        table.add_column(sa.Column("terms", sa.Text(), nullable=True))
    op.execute(
        "UPDATE payment_reservations SET "  # noqa: S608 - constants
        "method = CASE WHEN tx IS NULL THEN 'exact' ELSE 'transfer' END, "
        f"terms = CASE WHEN tx IS NULL THEN {_AUTHORIZATION} ELSE {_TRANSFER} END"
    )
    with op.batch_alter_table("payment_reservations") as table:
        table.alter_column("method", existing_type=sa.String(length=32), nullable=False)
        table.alter_column("terms", existing_type=sa.Text(), nullable=False)
        table.alter_column(
            "valid_before", existing_type=sa.String(length=78), new_column_name="ends"
        )
        for column in ("valid_after", "log_index", "log_named"):
            table.drop_column(column)
