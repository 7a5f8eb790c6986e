"""Workers as they last reported, and the locks that processes share."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from jobs.clock import now
from jobs.models.base import Base, Id


class Worker(Base):
    """A worker process, as it last reported itself."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    hostname: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int] = mapped_column(Integer)
    queues: Mapped[list[str]]
    engines: Mapped[list[str]]
    #: What it has of what jobs can need (`Job.needs`): weights files, secrets by name, services that answer.
    weights: Mapped[list[str]]
    device: Mapped[str | None] = mapped_column(String(100))
    #: What it has loaded: values of `Job.model`.
    models: Mapped[list[str]] = mapped_column(default=list)
    #: The jobs it runs; more than one when they run together.
    job_ids: Mapped[list[str]] = mapped_column(default=list)
    started_at: Mapped[datetime] = mapped_column(default=now())
    heartbeat_at: Mapped[datetime] = mapped_column(default=now(), index=True)
    #: An operator wants it to take no more jobs.
    draining: Mapped[bool] = mapped_column(Boolean, default=False)
    #: And to give back now what it runs.
    releasing: Mapped[bool] = mapped_column(Boolean, default=False)
    #: Owners whose jobs failed on it, one after the other with no success between.
    suspected: Mapped[list[str]] = mapped_column(default=list)
    #: It takes no more jobs because of those.
    quarantined_at: Mapped[datetime | None]


class Lock(Base):
    """A named lock with a lease, for work that one process at a time should do (the sweeper).

    A row, not a PostgreSQL advisory lock: it works on SQLite and behind a pooler in transaction mode too.
    """

    __tablename__ = "locks"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(Id)
    until: Mapped[datetime]
