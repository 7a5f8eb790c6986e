"""jobs made of jobs

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_WHOLE = "part_of IS NULL"
_PARTS = "part_of IS NOT NULL AND finished_at IS NULL"
_LEFT_OVER = "part_of = ''"


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "jobs", columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def upgrade() -> None:
    op.add_column("jobs", sa.Column("part_of", sa.String(40), nullable=True))
    op.add_column("jobs", sa.Column("retry_of", sa.String(40), nullable=True))
    op.add_column("jobs", sa.Column("parts", sa.Integer(), nullable=False, server_default="0"))
    _index("ix_jobs_whole", ["owner_id", "id"], _WHOLE)
    _index("ix_jobs_parts", ["part_of"], _PARTS)
    _index("ix_jobs_left_over", ["id"], _LEFT_OVER)
    op.create_table(
        "job_parts",
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("part_id", sa.String(40), nullable=False),
        sa.Column("stage", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE", name="fk_job_parts_job_id_jobs"),
        sa.ForeignKeyConstraint(
            ["part_id"], ["jobs.id"], ondelete="CASCADE", name="fk_job_parts_part_id_jobs"
        ),
        sa.PrimaryKeyConstraint("job_id", "name", name="pk_job_parts"),
    )
    op.create_index("ix_job_parts_part_id", "job_parts", ["part_id"])


def downgrade() -> None:
    op.drop_table("job_parts")
    for name in ("ix_jobs_left_over", "ix_jobs_parts", "ix_jobs_whole"):
        op.drop_index(name, "jobs")
    for name in ("parts", "retry_of", "part_of"):
        op.drop_column("jobs", name)
