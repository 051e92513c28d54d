"""What the market took of the price of an order that was delivered. Deliveries of before are looked
for on the chain once more, which tells."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("order_deliveries", sa.Column("fee", sa.String(length=78), nullable=True))
    op.execute(
        "UPDATE order_deliveries SET state = 'open', tx = NULL, block = NULL, retry_at = 0 "
        "WHERE state = 'delivered'"
    )
