"""networks that users upload, converted once and shared by content

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("converts", sa.String(length=40), nullable=True))
    op.create_table(
        "network_files",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=512), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_network_files")),
        sa.UniqueConstraint("key", name=op.f("uq_network_files_key")),
    )
    op.create_table(
        "networks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("upload_sha256", sa.String(length=64), nullable=False),
        sa.Column("upload_size", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("config", _DOCUMENT, nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("error_detail", sa.Text(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_networks_owner_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["sha256"], ["network_files.sha256"], name=op.f("fk_networks_sha256_network_files")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_networks")),
    )
    op.create_index("uq_networks_owner_name", "networks", ["owner_id", "name"], unique=True)
    shared = sa.text("shared")
    op.create_index(
        "uq_networks_shared_name",
        "networks",
        ["name"],
        unique=True,
        postgresql_where=shared,
        sqlite_where=shared,
    )
    op.create_index(op.f("ix_networks_sha256"), "networks", ["sha256"])
    op.create_table(
        "job_networks",
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_networks_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["sha256"],
            ["network_files.sha256"],
            name=op.f("fk_job_networks_sha256_network_files"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("job_id", "sha256", name=op.f("pk_job_networks")),
    )
    op.create_index(op.f("ix_job_networks_sha256"), "job_networks", ["sha256"])


def downgrade() -> None:
    for table in ("job_networks", "networks", "network_files"):
        op.drop_table(table)
    op.drop_column("jobs", "converts")
