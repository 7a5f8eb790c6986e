"""how long a sound or a film is, and what a small text says

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("artifacts", sa.Column("seconds", sa.Float(), nullable=True))
    op.add_column("artifacts", sa.Column("text", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("artifacts", "text")
    op.drop_column("artifacts", "seconds")
