"""The salt of a request with a private input. Of other requests, and all of before, it is null."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("request_salt", sa.LargeBinary(), nullable=True))
