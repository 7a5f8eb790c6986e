"""the fleet: a fair line, batches, deadlines, webhooks, usage, expiry

Revision ID: 0002
Revises: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _job_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("hold", sa.String(length=8), nullable=True),
        sa.Column("turn", sa.BigInteger(), nullable=True),
        sa.Column("place", sa.Float(), nullable=False, server_default="0"),
        sa.Column("model", sa.String(length=160), nullable=False, server_default=""),
        sa.Column("passed_at", _TIME, nullable=True),
        sa.Column("batch", sa.String(length=100), nullable=True),
        sa.Column("batch_most", sa.SmallInteger(), nullable=False, server_default="1"),
        sa.Column("batch_size", sa.SmallInteger(), nullable=False, server_default="1"),
        sa.Column("start_by", _TIME, nullable=True),
        sa.Column("timeout_seconds", sa.Float(), nullable=True),
        sa.Column("cost", sa.Float(), nullable=False, server_default="1"),
        sa.Column("died_on", sa.String(length=40), nullable=True),
        sa.Column("queue_seconds", sa.Float(), nullable=False, server_default="0"),
        sa.Column("run_seconds", sa.Float(), nullable=False, server_default="0"),
        sa.Column("device_seconds", sa.Float(), nullable=False, server_default="0"),
        sa.Column("peak_memory", sa.BigInteger(), nullable=True),
        sa.Column("data_removed", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("notify", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("webhook", _DOCUMENT, nullable=True),
    )


def _user_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("max_running", sa.Integer(), nullable=True),
        sa.Column("max_queued", sa.Integer(), nullable=True),
        sa.Column("keep_days", sa.Float(), nullable=True),
        sa.Column("webhook_secret", sa.String(length=100), nullable=True),
    )


def _worker_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("models", _DOCUMENT, nullable=False, server_default="[]"),
        sa.Column("job_ids", _DOCUMENT, nullable=False, server_default="[]"),
        sa.Column("draining", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("releasing", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("suspected", _DOCUMENT, nullable=False, server_default="[]"),
        sa.Column("quarantined_at", _TIME, nullable=True),
    )


_JOB_INDEXES = {
    "ix_jobs_line": (["queue", "turn", "id"], "state = 'queued' AND hold IS NULL"),
    "ix_jobs_batch": (
        ["queue", "batch", "turn"],
        "state = 'queued' AND hold IS NULL AND batch IS NOT NULL",
    ),
    "ix_jobs_turns": (["owner_id", "queue", "priority", "state", "turn"], "turn IS NOT NULL"),
    "ix_jobs_behind": (
        ["owner_id", "queue", "hold", "priority", "place", "id"],
        "state = 'queued' AND hold IS NOT NULL",
    ),
    "ix_jobs_start_by": (["start_by"], "state = 'queued' AND start_by IS NOT NULL"),
    "ix_jobs_succeeded": (["engine", "finished_at"], "state = 'succeeded'"),
    "ix_jobs_kept": (["owner_id", "finished_at"], "finished_at IS NOT NULL AND NOT data_removed"),
}

#: Those that wait or run get the turns they would have got: an owner's first one the first turn, and so on.
_TURNS = """
UPDATE jobs SET turn = given.turn FROM (
    SELECT id, row_number() OVER (PARTITION BY owner_id, queue, priority ORDER BY id) AS turn
    FROM jobs WHERE state IN ('queued', 'running')
) AS given WHERE jobs.id = given.id
"""

_FLOWS = """
INSERT INTO flows (owner_id, queue, priority, turn)
SELECT owner_id, queue, priority, max(turn) FROM jobs WHERE turn IS NOT NULL GROUP BY owner_id, queue, priority
"""


def upgrade() -> None:
    # Plain ALTER TABLEs, also on SQLite: copying `jobs`, as batch mode does, would cascade to its results.
    for table, columns in (
        ("jobs", _job_columns()),
        ("users", _user_columns()),
        ("workers", _worker_columns()),
    ):
        for column in columns:
            op.add_column(table, column)
    op.drop_column("workers", "job_id")
    op.execute(_TURNS)
    op.drop_index("ix_jobs_queued", table_name="jobs")
    for name, (over, where) in _JOB_INDEXES.items():
        op.create_index(name, "jobs", over, postgresql_where=sa.text(where), sqlite_where=sa.text(where))

    op.create_table(
        "clocks",
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("queue", name=op.f("pk_clocks")),
    )
    op.create_table(
        "flows",
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_flows_owner_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "queue", "priority", name=op.f("pk_flows")),
    )
    op.execute(_FLOWS)
    op.create_table(
        "past_usage",
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("engine", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.Column("queue_seconds", sa.Float(), nullable=False),
        sa.Column("run_seconds", sa.Float(), nullable=False),
        sa.Column("device_seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_past_usage_owner_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "day", "engine", "device", "state", name=op.f("pk_past_usage")),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("secret", sa.String(length=100), nullable=False),
        sa.Column("events", _DOCUMENT, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("deleted_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_webhooks_owner_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index(op.f("ix_webhooks_owner_id"), "webhooks", ["owner_id"])
    deleted = sa.text("deleted_at IS NOT NULL")
    op.create_index("ix_webhooks_deleted", "webhooks", ["id"], postgresql_where=deleted, sqlite_where=deleted)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("webhook_id", sa.String(length=40), nullable=True),
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("until", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_deliveries_owner_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name=op.f("fk_deliveries_webhook_id_webhooks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    pending = sa.text("state = 'pending'")
    op.create_index(
        "ix_deliveries_due", "deliveries", ["host", "due_at"], postgresql_where=pending, sqlite_where=pending
    )
    progress = sa.text("event = 'progress'")
    op.create_index(
        "ix_deliveries_progress", "deliveries", ["id"], postgresql_where=progress, sqlite_where=progress
    )
    op.create_index(op.f("ix_deliveries_job_id"), "deliveries", ["job_id"])
    op.create_index(op.f("ix_deliveries_webhook_id"), "deliveries", ["webhook_id"])
    op.create_index("ix_deliveries_owner", "deliveries", ["owner_id", "id"])
    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=300), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
            name=op.f("fk_delivery_attempts_delivery_id_deliveries"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("pk_delivery_attempts")),
    )


def downgrade() -> None:
    for table in ("delivery_attempts", "deliveries", "webhooks", "past_usage", "flows", "clocks"):
        op.drop_table(table)
    for name in _JOB_INDEXES:
        op.drop_index(name, table_name="jobs")
    where = sa.text("state = 'queued'")
    op.create_index(
        "ix_jobs_queued",
        "jobs",
        ["queue", sa.text("priority DESC"), "id"],
        postgresql_where=where,
        sqlite_where=where,
    )
    op.add_column("workers", sa.Column("job_id", sa.String(length=40), nullable=True))
    for table, columns in (
        ("workers", _worker_columns()),
        ("users", _user_columns()),
        ("jobs", _job_columns()),
    ):
        for column in columns:
            op.drop_column(table, column.name)
