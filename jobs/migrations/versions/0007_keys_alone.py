"""the index of idempotency keys holds the jobs that have one

Revision ID: 0007
Revises: 0006

Most jobs have none. They are written to one index fewer, and nothing else can be looked up in it: on a new
database, without statistics, PostgreSQL read all of an owner's jobs by way of it at each submission.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NAME, _COLUMNS = "uq_jobs_owner_idempotency", ["owner_id", "idempotency_key"]


def upgrade() -> None:
    there = sa.text("idempotency_key IS NOT NULL")
    op.drop_index(_NAME, "jobs")
    op.create_index(_NAME, "jobs", _COLUMNS, unique=True, sqlite_where=there, postgresql_where=there)


def downgrade() -> None:
    op.drop_index(_NAME, "jobs")
    op.create_index(_NAME, "jobs", _COLUMNS, unique=True)
