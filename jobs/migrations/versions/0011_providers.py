"""what owners asked of services elsewhere, and what these answered

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

from jobs.clock import UTCDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provider_usage",
        sa.Column("owner_id", sa.String(40), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_provider_usage_owner_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "day", "provider", name=op.f("pk_provider_usage")),
    )
    op.create_table(
        "provider_answers",
        sa.Column("owner_id", sa.String(40), nullable=False),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_provider_answers_owner_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "request", name=op.f("pk_provider_answers")),
    )
    op.create_index(op.f("ix_provider_answers_expires_at"), "provider_answers", ["expires_at"])


def downgrade() -> None:
    op.drop_table("provider_answers")
    op.drop_table("provider_usage")
