"""The rows. Every column's meaning is here; every statement about jobs is in `jobs.store`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from jobs.clock import UTCDateTime, now

Id = String(40)
Document = JSON().with_variant(JSONB(), "postgresql")


class Base(DeclarativeBase):
    """Constraint names are fixed by a convention so that migrations can name them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UTCDateTime(),
        dict[str, Any]: Document,
        list[str]: Document,
    }


class User(Base):
    """An owner of jobs and files."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now())


class ApiKey(Base):
    """A bearer key. Only its SHA-256 is kept: with 256 random bits a slow hash would add nothing."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    #: SHA-256 of the whole key, hexadecimal.
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    #: The first characters, to recognise a key by.
    prefix: Mapped[str] = mapped_column(String(16))
    admin: Mapped[bool] = mapped_column(Boolean, default=False)
    #: Requests a minute; NULL for the server's default.
    rate_per_minute: Mapped[int | None] = mapped_column(Integer)
    #: Bytes of one upload; NULL for the server's default.
    max_upload_bytes: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=now())
    revoked_at: Mapped[datetime | None]


class Job(Base):
    """One request and all that became of it."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"))
    engine: Mapped[str] = mapped_column(String(64))
    queue: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    #: Larger goes first.
    priority: Mapped[int] = mapped_column(SmallInteger, default=0)
    #: Validated; file fields hold artifact ids or https: URLs.
    params: Mapped[dict[str, Any]]
    seed: Mapped[int] = mapped_column(BigInteger)
    #: Names of the weights files a worker must have, sorted, with commas between.
    needs: Mapped[str] = mapped_column(String(200), default="")
    #: The request that made it, for the logs of both processes.
    request_id: Mapped[str | None] = mapped_column(String(64))

    created_at: Mapped[datetime] = mapped_column(default=now())
    #: Not claimed before this time (back-off after a transient error).
    run_after: Mapped[datetime] = mapped_column(default=now())
    #: When the present or last attempt began.
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    #: Number of the present attempt: +1 at every claim, never reused. It is the fence of every write.
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    #: Attempts that ended in a transient error or a lost worker. A worker that gave the job back is none.
    failures: Mapped[int] = mapped_column(Integer, default=0)
    lease_owner: Mapped[str | None] = mapped_column(Id)
    lease_until: Mapped[datetime | None]
    cancel_requested: Mapped[bool] = mapped_column(Boolean, default=False)

    #: +1 at every change a client can see; the id of the job's events.
    version: Mapped[int] = mapped_column(Integer, default=1)
    progress: Mapped[float] = mapped_column(Float, default=0.0)
    message: Mapped[str] = mapped_column(String(200), default="")
    preview_key: Mapped[str | None] = mapped_column(String(512))
    checkpoint_key: Mapped[str | None] = mapped_column(String(512))

    error_code: Mapped[str | None] = mapped_column(String(64))
    error_detail: Mapped[str | None] = mapped_column(Text)
    #: What it ran on, "cpu" or "cuda: NVIDIA H200".
    device: Mapped[str | None] = mapped_column(String(100))

    #: The client's Idempotency-Key and the SHA-256 of the request it came with.
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    idempotency_hash: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        Index("uq_jobs_owner_idempotency", "owner_id", "idempotency_key", unique=True),
        # The claim reads this one from its end; it holds only what waits, so its size is the backlog's.
        Index(
            "ix_jobs_queued",
            "queue",
            text("priority DESC"),
            "id",
            postgresql_where=text("state = 'queued'"),
            sqlite_where=text("state = 'queued'"),
        ),
        Index(
            "ix_jobs_running",
            "lease_until",
            postgresql_where=text("state = 'running'"),
            sqlite_where=text("state = 'running'"),
        ),
        Index("ix_jobs_owner", "owner_id", "id"),
    )


class JobEvent(Base):
    """One change of state, kept so that a stream can be resumed and a history shown."""

    __tablename__ = "job_events"

    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    #: The job's version at that change.
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int] = mapped_column(Integer)
    #: Why: "lease_lost", "released", an error code.
    reason: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(default=now())


class Artifact(Base):
    """One stored file: an uploaded input or a produced output."""

    __tablename__ = "artifacts"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"))
    #: The job that produced it; NULL for an upload.
    job_id: Mapped[str | None] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    key: Mapped[str] = mapped_column(String(512))
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    meta: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now())

    __table_args__ = (Index("ix_artifacts_owner", "owner_id", "id"),)


class JobInput(Base):
    """Which uploaded files a job reads: what must not be deleted while it may still run."""

    __tablename__ = "job_inputs"

    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    artifact_id: Mapped[str] = mapped_column(
        Id, ForeignKey("artifacts.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Worker(Base):
    """A worker process, as it last reported itself."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    hostname: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int] = mapped_column(Integer)
    queues: Mapped[list[str]]
    engines: Mapped[list[str]]
    #: Names of the optional weights files it has.
    weights: Mapped[list[str]]
    device: Mapped[str | None] = mapped_column(String(100))
    job_id: Mapped[str | None] = mapped_column(Id)
    started_at: Mapped[datetime] = mapped_column(default=now())
    heartbeat_at: Mapped[datetime] = mapped_column(default=now(), index=True)


class Lock(Base):
    """A named lock with a lease, for work that one process at a time should do (the sweeper).

    A row, not a PostgreSQL advisory lock: it works on SQLite and behind a pooler in transaction mode too.
    """

    __tablename__ = "locks"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(Id)
    until: Mapped[datetime]


class Cleanup(Base):
    """A folder of the object store to look through: what no artifact row names is deleted from it.

    Written in the transaction that makes objects superfluous (or before an upload that may fail half
    way), carried out by the sweeper: so no crash leaves bytes behind, and nothing referenced is deleted.
    """

    __tablename__ = "cleanups"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    #: `jobs/<id>` or `files/<id>`.
    prefix: Mapped[str] = mapped_column(String(512))
    due_at: Mapped[datetime] = mapped_column(index=True)


class Secret(Base):
    """A random value all API processes share, made at first use (the key that signs content URLs)."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(String(128))
