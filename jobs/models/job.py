"""Jobs: what was asked, what became of it, what it reads, and what deleted ones had used."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Float, ForeignKey, Index, Integer, SmallInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.clock import now
from jobs.documents import JSONObject
from jobs.models.base import Base, Id, OptionalDocument, partial


class Job(Base):
    """One request and all that became of it."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"))
    engine: Mapped[str] = mapped_column(String(64))
    queue: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    #: A `jobs.states.Priority`: -1, 0 or 1.
    priority: Mapped[int] = mapped_column(SmallInteger, default=0)
    #: Why a queued job is not in line (`jobs.states.Hold`); NULL: it is.
    hold: Mapped[str | None] = mapped_column(String(8))
    #: Its place in line, smaller goes first (docs/adr/0009); NULL when it is neither in line nor running.
    turn: Mapped[int | None] = mapped_column(BigInteger)
    #: Its order among its owner's jobs behind the line: seconds, by default those of its acceptance.
    place: Mapped[float] = mapped_column(Float, default=0.0)
    #: What a worker must have loaded to run it at once: the engine, or the engine and a network.
    model: Mapped[str] = mapped_column(String(160), default="")
    #: When a worker that could have run it first took a later one, whose model it had loaded.
    passed_at: Mapped[datetime | None]
    #: Jobs with the same value can run together; NULL: it runs alone.
    batch: Mapped[str | None] = mapped_column(String(100))
    #: How many may run together at most.
    batch_most: Mapped[int] = mapped_column(SmallInteger, default=1)
    #: How many ran together in the present or last attempt.
    batch_size: Mapped[int] = mapped_column(SmallInteger, default=1)
    #: Fails if it has not started by then.
    start_by: Mapped[datetime | None]
    #: Seconds an attempt may run, if less than the engine allows.
    timeout_seconds: Mapped[float | None] = mapped_column(Float)
    #: How much work it is, in about the seconds of one processor core: what run times are compared by.
    cost: Mapped[float] = mapped_column(Float, default=1.0)
    #: Validated; file fields hold artifact ids or https: URLs.
    params: Mapped[JSONObject]
    seed: Mapped[int] = mapped_column(BigInteger)
    #: Names of the weights files a worker must have, sorted, with commas between.
    needs: Mapped[str] = mapped_column(String(200), default="")
    #: The request that made it, for the logs of both processes.
    request_id: Mapped[str | None] = mapped_column(String(64))

    created_at: Mapped[datetime] = mapped_column(default=now())
    #: Not claimed before this time (back-off after a transient error); when it last began to wait.
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
    #: The worker that died in it. A second, different one makes it a poison job.
    died_on: Mapped[str | None] = mapped_column(Id)

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
    #: Seconds in line and on hold, of all attempts together.
    queue_seconds: Mapped[float] = mapped_column(Float, default=0.0)
    #: Seconds of all attempts together.
    run_seconds: Mapped[float] = mapped_column(Float, default=0.0)
    #: The same, divided by the number of jobs that ran together: what is charged.
    device_seconds: Mapped[float] = mapped_column(Float, default=0.0)
    #: Bytes, of the device where it has memory of its own, else of the worker process.
    peak_memory: Mapped[int | None] = mapped_column(BigInteger)
    #: Its results have expired and were deleted.
    data_removed: Mapped[bool] = mapped_column(Boolean, default=False)

    #: Whether some webhook may want to hear of it: its own, or one of its owner's.
    notify: Mapped[bool] = mapped_column(Boolean, default=False)
    #: The uploaded network whose conversion it is; no foreign key, since either may be deleted first.
    converts: Mapped[str | None] = mapped_column(Id)
    #: Its own webhook: {"url": ..., "events": [...]}.
    webhook: Mapped[JSONObject | None] = mapped_column(OptionalDocument)

    #: Its owner's labels (`jobs.labels`): a list of tags, and an object. `JobTag` has the tags once more.
    tags: Mapped[list[str] | None] = mapped_column(OptionalDocument)
    meta: Mapped[JSONObject | None] = mapped_column(OptionalDocument)
    #: What a search by text looks through; NULL in rows of before there were labels.
    search: Mapped[str | None] = mapped_column(Text)

    #: The job that asked for it; NULL: nobody's part. Empty: the one that did was deleted. No foreign key: it
    #: outlives that one until the sweeper comes by.
    part_of: Mapped[str | None] = mapped_column(Id)
    #: The job of which it is another try, whose parts it uses again; no foreign key, that one may be deleted.
    retry_of: Mapped[str | None] = mapped_column(Id)
    #: How many jobs it has asked for so far.
    parts: Mapped[int] = mapped_column(Integer, default=0)

    #: The client's Idempotency-Key and the SHA-256 of the request it came with.
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    idempotency_hash: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        partial(
            "uq_jobs_owner_idempotency",
            "owner_id",
            "idempotency_key",
            where="idempotency_key IS NOT NULL",
            unique=True,
        ),
        # The line: the claim reads it from its front.
        partial("ix_jobs_line", "queue", "turn", "id", where="state = 'queued' AND hold IS NULL"),
        # Who can join the batch of the job that is next.
        partial(
            "ix_jobs_batch",
            "queue",
            "batch",
            "turn",
            where="state = 'queued' AND hold IS NULL AND batch IS NOT NULL",
        ),
        # An owner's jobs in line and running: how many, and the last one's turn.
        partial("ix_jobs_turns", "owner_id", "queue", "priority", "state", "turn", where="turn IS NOT NULL"),
        # An owner's jobs behind the line, or held.
        partial(
            "ix_jobs_behind",
            "owner_id",
            "queue",
            "hold",
            "priority",
            "place",
            "id",
            where="state = 'queued' AND hold IS NOT NULL",
        ),
        partial("ix_jobs_running", "lease_until", where="state = 'running'"),
        partial("ix_jobs_start_by", "start_by", where="state = 'queued' AND start_by IS NOT NULL"),
        # What jobs of an engine took lately.
        partial("ix_jobs_succeeded", "engine", "finished_at", where="state = 'succeeded'"),
        # What has ended and still has its results, oldest first.
        partial(
            "ix_jobs_kept", "owner_id", "finished_at", where="finished_at IS NOT NULL AND NOT data_removed"
        ),
        Index("ix_jobs_owner", "owner_id", "id"),
        # Somebody's own jobs, newest first: lists show no parts.
        partial("ix_jobs_whole", "owner_id", "id", where="part_of IS NULL"),
        # Parts that have not ended, and those whose job is gone.
        partial("ix_jobs_parts", "part_of", where="part_of IS NOT NULL AND finished_at IS NULL"),
        partial("ix_jobs_left_over", "id", where="part_of = ''"),
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


class JobTag(Base):
    """One tag of one job: by it a tag's jobs are found, newest first, however many jobs there are."""

    __tablename__ = "job_tags"

    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(40), primary_key=True)
    #: The job's.
    owner_id: Mapped[str] = mapped_column(Id)

    __table_args__ = (Index("ix_job_tags_tag", "tag", "owner_id", "job_id"),)


class JobInput(Base):
    """Which uploaded files a job reads: what must not be deleted while it may still run."""

    __tablename__ = "job_inputs"

    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    artifact_id: Mapped[str] = mapped_column(
        Id, ForeignKey("artifacts.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class JobPart(Base):
    """That a job asked for another one, by a name of its own. Further tries of that job share its parts."""

    __tablename__ = "job_parts"

    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    part_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    #: Of which stage of the job it is, as its progress is shown.
    stage: Mapped[str] = mapped_column(String(64))
    #: Its order among the job's parts.
    number: Mapped[int] = mapped_column(Integer)
    #: Its share of the job's whole progress, 0 to 1.
    share: Mapped[float] = mapped_column(Float)
    #: SHA-256 of what was asked for: by it a part that was made for an earlier try is known again.
    digest: Mapped[str] = mapped_column(String(64))


class PastUsage(Base):
    """What jobs whose rows were deleted had used, so that deleting them changes no sum."""

    __tablename__ = "past_usage"

    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    #: The day they finished, `2026-11-21` (UTC).
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    engine: Mapped[str] = mapped_column(String(64), primary_key=True)
    #: "gpu" or "cpu".
    device: Mapped[str] = mapped_column(String(8), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), primary_key=True)
    jobs: Mapped[int] = mapped_column(Integer)
    queue_seconds: Mapped[float] = mapped_column(Float)
    run_seconds: Mapped[float] = mapped_column(Float)
    device_seconds: Mapped[float] = mapped_column(Float)
