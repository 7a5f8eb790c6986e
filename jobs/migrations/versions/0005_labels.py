"""labels of jobs, and the keys of uploads

Revision ID: 0005
Revises: 0004

Only columns that may be NULL and tables of their own: code of before goes on with it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("tags", _DOCUMENT, nullable=True))
    op.add_column("jobs", sa.Column("meta", _DOCUMENT, nullable=True))
    op.add_column("jobs", sa.Column("search", sa.Text(), nullable=True))
    op.create_table(
        "job_tags",
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("tag", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_tags_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "tag", name=op.f("pk_job_tags")),
    )
    op.create_index("ix_job_tags_tag", "job_tags", ["tag", "owner_id", "job_id"])
    op.create_table(
        "upload_keys",
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("file_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_upload_keys_owner_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["file_id"], ["artifacts.id"], name=op.f("fk_upload_keys_file_id_artifacts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "key", name=op.f("pk_upload_keys")),
    )
    op.create_index(op.f("ix_upload_keys_file_id"), "upload_keys", ["file_id"])


def downgrade() -> None:
    op.drop_table("upload_keys")
    op.drop_table("job_tags")
    for column in ("search", "meta", "tags"):
        op.drop_column("jobs", column)
