"""Many settlements in one transaction, and transactions that replace others."""

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
