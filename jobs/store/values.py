"""What goes into the store and comes out of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from jobs.ids import new_id
from jobs.states import Priority


@dataclass(frozen=True)
class NewJob:
    """A validated request, ready to be accepted."""

    owner_id: str
    engine: str
    queue: str
    params: Mapping[str, object]
    seed: int
    #: Ids of the files its params name.
    inputs: Sequence[str] = ()
    #: Hashes of the uploaded networks its params name.
    networks: Sequence[str] = ()
    #: The uploaded network whose conversion it is.
    converts: str | None = None
    #: Names of the weights files a worker must have.
    weights: Sequence[str] = ()
    priority: Priority = Priority.NORMAL
    #: Its owner wants it to wait until they release it.
    held: bool = False
    #: What a worker must have loaded to run it at once.
    model: str = ""
    #: Jobs with the same value run together, at most `batch_most` of them; None: it runs alone.
    batch: str | None = None
    batch_most: int = 1
    #: How much work it is, in about the seconds of one processor core.
    cost: float = 1.0
    start_by: datetime | None = None
    timeout_seconds: float | None = None
    #: Its own webhook: {"url": ..., "events": [...]}.
    webhook: Mapping[str, object] | None = None
    #: Its owner's labels (`jobs.labels`).
    tags: Sequence[str] = ()
    meta: Mapping[str, object] = field(default_factory=dict)
    request_id: str | None = None
    idempotency_key: str | None = None
    idempotency_hash: str | None = None
    #: The failed or canceled job of which it is another try.
    retry_of: str | None = None
    id: str = field(default_factory=lambda: new_id("job"))


@dataclass(frozen=True)
class NewPart:
    """A job that another one asks for."""

    name: str
    stage: str
    #: Of the whole job's progress, 0 to 1.
    share: float
    #: What it is, whoever asks for it: SHA-256 of engine, params and seed.
    digest: str
    job: NewJob


@dataclass(frozen=True)
class NewArtifact:
    """An output whose bytes are already stored under `key`."""

    name: str
    key: str
    media_type: str
    size: int
    sha256: str
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    #: What it says, where it is small and a text.
    text: str | None = None
    meta: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Success:
    """One attempt that has made its results."""

    job_id: str
    attempt: int
    artifacts: Sequence[NewArtifact] = ()
    #: It stored other objects too, a preview or a checkpoint, that may go now.
    leftovers: bool = False


@dataclass(frozen=True)
class Claim:
    """Which jobs a worker can take, of one queue."""

    worker_id: str
    queue: str
    engines: Sequence[str]
    lease_seconds: float
    #: The sets of needs of which it has all.
    meets: Collection[Collection[str]] = ()
    #: What it has loaded.
    models: Sequence[str] = ()


@dataclass(frozen=True)
class Beat:
    """What a heartbeat learns."""

    cancel_requested: bool
