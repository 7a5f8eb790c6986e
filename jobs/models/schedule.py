"""What is to be made again and again, and the files it is made from."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.clock import now
from jobs.documents import JSONObject
from jobs.models.base import Base, Id, partial


class Schedule(Base):
    """A job as it is asked for, and when: each due time makes one (docs/schedules.md)."""

    __tablename__ = "schedules"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    cron: Mapped[str] = mapped_column(String(100))
    #: As the IANA names it: `Europe/Berlin`.
    zone: Mapped[str] = mapped_column(String(64))
    #: `skip` or `once`: what becomes of what was due while nobody swept.
    misses: Mapped[str] = mapped_column(String(8))
    engine: Mapped[str] = mapped_column(String(64))
    #: As they were sent. A seed is drawn for each job unless they name one.
    params: Mapped[JSONObject]
    #: An `accept.wire.JobOptions`, what was sent of it.
    options: Mapped[JSONObject]
    #: When it is due; NULL while it is paused.
    next_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    #: The due time that was dealt with last, whatever came of it.
    last_at: Mapped[datetime | None]
    #: No foreign key: that job may be deleted.
    last_job_id: Mapped[str | None] = mapped_column(Id)
    #: Why the last due time made no job; NULL: it made one.
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_detail: Mapped[str | None] = mapped_column(Text)
    #: Due times in a row whose job was refused.
    refusals: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(default=now())

    __table_args__ = (
        partial("ix_schedules_due", "next_at", where="paused_at IS NULL"),
        Index("ix_schedules_owner", "owner_id", "id"),
    )


class ScheduleInput(Base):
    """Which stored files a schedule's jobs read: not to be deleted while it is there, paused or not."""

    __tablename__ = "schedule_inputs"

    schedule_id: Mapped[str] = mapped_column(
        Id, ForeignKey("schedules.id", ondelete="CASCADE"), primary_key=True
    )
    artifact_id: Mapped[str] = mapped_column(
        Id, ForeignKey("artifacts.id", ondelete="CASCADE"), primary_key=True, index=True
    )
