"""What is asked of every answer, kept beside it: the size of its proof, and how many values of its
input lay beyond the model's range. Answers of before have neither: their proofs' sizes are asked
of the blob store, and their receipts claim nothing about the range."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("answers", sa.Column("proof_size", sa.BigInteger(), nullable=True))
    op.add_column("answers", sa.Column("out_of_range", sa.BigInteger(), nullable=True))
