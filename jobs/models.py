"""The rows. Every column's meaning is here; every statement about jobs is in `jobs.store`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

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
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from jobs.clock import UTCDateTime, now
from jobs.documents import JSONObject

Id = String(40)
Document = JSON().with_variant(JSONB(), "postgresql")
OptionalDocument = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index over the rows of which `where` is true: its size is theirs."""
    return Index(name, *columns, unique=unique, postgresql_where=text(where), sqlite_where=text(where))


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
    if TYPE_CHECKING:
        #: No row here is of a join or a query, whose `__table__` could be less than a table.
        __table__: ClassVar[Table]

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UTCDateTime(),
        JSONObject: Document,
        list[str]: Document,
    }


class User(Base):
    """An owner of jobs and files."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now())
    #: Jobs of one queue that may run at once, 0 for any number; NULL for the default (`jobs.policy`).
    max_running: Mapped[int | None] = mapped_column(Integer)
    #: Jobs that may wait, 0 for any number; NULL for the server's default.
    max_queued: Mapped[int | None] = mapped_column(Integer)
    #: Days that results are kept, 0 for ever; NULL for the server's default.
    keep_days: Mapped[float | None] = mapped_column(Float)
    #: Bytes of uploads, results and networks, 0 for any number; NULL for the server's default.
    max_stored_bytes: Mapped[int | None] = mapped_column(BigInteger)
    #: Signs the webhooks of single jobs (`whsec_...`); made at first use.
    webhook_secret: Mapped[str | None] = mapped_column(String(100))


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


class LinkCode(Base):
    """A one-time code for a further key of its owner's. Only its SHA-256 is kept, as of keys.

    It is deleted when it is redeemed, or by the sweeper when it has expired.
    """

    __tablename__ = "link_codes"

    #: SHA-256 of the whole code, hexadecimal.
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    #: The key that asked for it: revoked, it takes its codes along, and its limits are the new key's.
    key_id: Mapped[str] = mapped_column(Id, ForeignKey("api_keys.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime] = mapped_column(index=True)


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

    #: The client's Idempotency-Key and the SHA-256 of the request it came with.
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    idempotency_hash: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        _partial(
            "uq_jobs_owner_idempotency",
            "owner_id",
            "idempotency_key",
            where="idempotency_key IS NOT NULL",
            unique=True,
        ),
        # The line: the claim reads it from its front.
        _partial("ix_jobs_line", "queue", "turn", "id", where="state = 'queued' AND hold IS NULL"),
        # Who can join the batch of the job that is next.
        _partial(
            "ix_jobs_batch",
            "queue",
            "batch",
            "turn",
            where="state = 'queued' AND hold IS NULL AND batch IS NOT NULL",
        ),
        # An owner's jobs in line and running: how many, and the last one's turn.
        _partial("ix_jobs_turns", "owner_id", "queue", "priority", "state", "turn", where="turn IS NOT NULL"),
        # An owner's jobs behind the line, or held.
        _partial(
            "ix_jobs_behind",
            "owner_id",
            "queue",
            "hold",
            "priority",
            "place",
            "id",
            where="state = 'queued' AND hold IS NOT NULL",
        ),
        _partial("ix_jobs_running", "lease_until", where="state = 'running'"),
        _partial("ix_jobs_start_by", "start_by", where="state = 'queued' AND start_by IS NOT NULL"),
        # What jobs of an engine took lately.
        _partial("ix_jobs_succeeded", "engine", "finished_at", where="state = 'succeeded'"),
        # What has ended and still has its results, oldest first.
        _partial(
            "ix_jobs_kept", "owner_id", "finished_at", where="finished_at IS NOT NULL AND NOT data_removed"
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
    #: Of a sound or a film.
    seconds: Mapped[float | None] = mapped_column(Float)
    #: What a small result says, that nobody has to fetch it for; NULL for all others.
    text: Mapped[str | None] = mapped_column(Text)
    meta: Mapped[JSONObject] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now())

    __table_args__ = (Index("ix_artifacts_owner", "owner_id", "id"),)


class JobTag(Base):
    """One tag of one job: by it a tag's jobs are found, newest first, however many jobs there are."""

    __tablename__ = "job_tags"

    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(40), primary_key=True)
    #: The job's.
    owner_id: Mapped[str] = mapped_column(Id)

    __table_args__ = (Index("ix_job_tags_tag", "tag", "owner_id", "job_id"),)


class UploadKey(Base):
    """An Idempotency-Key that came with an upload, and the file it made. It goes with the file."""

    __tablename__ = "upload_keys"

    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    file_id: Mapped[str] = mapped_column(Id, ForeignKey("artifacts.id", ondelete="CASCADE"), index=True)


class JobInput(Base):
    """Which uploaded files a job reads: what must not be deleted while it may still run."""

    __tablename__ = "job_inputs"

    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    artifact_id: Mapped[str] = mapped_column(
        Id, ForeignKey("artifacts.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class NetworkFile(Base):
    """One stored network, whoever uploaded it: what jobs are pinned to, found by its content's hash.

    It goes when no `Network` and no waiting or running job refers to it (docs/adr/0011).
    """

    __tablename__ = "network_files"

    #: Of the bytes under `key`, hexadecimal.
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    #: Where the conversion that came first stored it.
    key: Mapped[str] = mapped_column(String(512), unique=True)
    size: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=now())


class Network(Base):
    """A network that somebody uploaded, under the name they gave it."""

    __tablename__ = "networks"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    #: Which engines can use it: the `kind` of their params' `NetworkRef`.
    kind: Mapped[str] = mapped_column(String(64))
    #: Whether everybody sees it.
    shared: Mapped[bool] = mapped_column(Boolean, default=False)
    #: A `jobs.states.NetworkState`.
    state: Mapped[str] = mapped_column(String(16))
    #: What was sent: the same again is the same upload.
    upload_sha256: Mapped[str] = mapped_column(String(64))
    upload_size: Mapped[int] = mapped_column(BigInteger)
    #: Its conversion job. No foreign key: that one may be deleted.
    job_id: Mapped[str] = mapped_column(Id)
    #: What the conversion made; NULL before.
    sha256: Mapped[str | None] = mapped_column(String(64), ForeignKey("network_files.sha256"), index=True)
    #: What the engine says of it: resolution, channels, ...
    config: Mapped[JSONObject | None] = mapped_column(OptionalDocument)
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_detail: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now())

    __table_args__ = (
        Index("uq_networks_owner_name", "owner_id", "name", unique=True),
        # Everybody sees them, so a name must say which.
        Index(
            "uq_networks_shared_name",
            "name",
            unique=True,
            postgresql_where=text("shared"),
            sqlite_where=text("shared"),
        ),
    )


class JobNetwork(Base):
    """Which network files a job reads: what must not be deleted while it may still run."""

    __tablename__ = "job_networks"

    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    sha256: Mapped[str] = mapped_column(
        String(64), ForeignKey("network_files.sha256", ondelete="CASCADE"), primary_key=True, index=True
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


class Clock(Base):
    """How far a queue has come: the largest turn that was ever claimed from it. It never goes back."""

    __tablename__ = "clocks"

    queue: Mapped[str] = mapped_column(String(64), primary_key=True)
    turn: Mapped[int] = mapped_column(BigInteger)


class Flow(Base):
    """How far an owner has come in a queue's line at one priority: the last turn they were given."""

    __tablename__ = "flows"

    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    queue: Mapped[str] = mapped_column(String(64), primary_key=True)
    priority: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    turn: Mapped[int] = mapped_column(BigInteger)


class Webhook(Base):
    """An address that an owner wants to hear of all their jobs."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    url: Mapped[str] = mapped_column(String(2048))
    #: `whsec_` and standard base64.
    secret: Mapped[str] = mapped_column(String(100))
    events: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(default=now())
    #: Its owner deleted it: nobody sees it, and the sweeper removes what was sent to it piece by piece.
    deleted_at: Mapped[datetime | None]

    __table_args__ = (_partial("ix_webhooks_deleted", "id", where="deleted_at IS NOT NULL"),)


class Delivery(Base):
    """The outbox: one message to one address, written in the transaction of the change it tells of."""

    __tablename__ = "deliveries"

    #: The `webhook-id`: the same at every attempt.
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"))
    #: NULL: the job's own webhook.
    webhook_id: Mapped[str | None] = mapped_column(
        Id, ForeignKey("webhooks.id", ondelete="CASCADE"), index=True
    )
    #: No foreign key: the log outlives the job.
    job_id: Mapped[str] = mapped_column(Id, index=True)
    event: Mapped[str] = mapped_column(String(16))
    url: Mapped[str] = mapped_column(String(2048))
    #: Its host: deliveries stand in line behind those to the same host only (docs/adr/0010).
    host: Mapped[str] = mapped_column(String(255))
    #: The bytes that are signed and sent.
    body: Mapped[str] = mapped_column(Text)
    #: "pending", "delivered" or "failed".
    state: Mapped[str] = mapped_column(String(16), default="pending")
    created_at: Mapped[datetime] = mapped_column(default=now())
    #: When to try (again); while it is being tried, until when nobody else may.
    due_at: Mapped[datetime] = mapped_column(default=now())
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    #: Given up after this.
    until: Mapped[datetime]

    __table_args__ = (
        # Each host's line, and by leaps through it the hosts.
        _partial("ix_deliveries_due", "host", "due_at", where="state = 'pending'"),
        # What is kept for a shorter time than the rest.
        _partial("ix_deliveries_progress", "id", where="event = 'progress'"),
        Index("ix_deliveries_owner", "owner_id", "id"),
    )


class DeliveryAttempt(Base):
    """One try to deliver, and what came of it."""

    __tablename__ = "delivery_attempts"

    delivery_id: Mapped[str] = mapped_column(
        Id, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now())
    #: The HTTP status; NULL when there was no answer.
    status: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None] = mapped_column(String(300))
    seconds: Mapped[float] = mapped_column(Float)


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
