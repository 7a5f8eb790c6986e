"""The statements that run often, built once, and the steps that several transactions share.

Building a statement costs as much as running it, and every submission, poll and claim runs these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Select,
    and_,
    bindparam,
    case,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from jobs.clock import now, seconds_since
from jobs.errors import NotFound
from jobs.models import Cleanup, Job, JobEvent, JobInput
from jobs.rows import JobRow
from jobs.states import FINAL, State
from jobs.store.conversions import not_converted
from jobs.store.line import CAPPED
from jobs.store.outbox import announce

#: Attempts that may end in a transient error or a lost worker before the job fails.
MAX_FAILURES = 3
#: A lost attempt's worker stops itself well within this time; then its objects are nobody's.
ORPHAN_GRACE_SECONDS = 600.0

# Literals, not bound values: a partial index serves only a query whose predicate is known when it is planned.
QUEUED = Job.state == literal_column("'queued'")
RUNNING = Job.state == literal_column("'running'")
SUCCEEDED = Job.state == literal_column("'succeeded'")
JOBS = Job.__table__
#: Queued, and taken when its turn has come; or waiting behind others of its owner (`jobs.store.line`).
IN_LINE = and_(QUEUED, JOBS.c.hold.is_(None))
BEHIND = and_(QUEUED, JOBS.c.hold == literal_column("'behind'"))


def spent() -> dict[str, ColumnElement[float]]:
    """What an attempt that ends now adds to its job's account."""
    took = seconds_since(JOBS.c.started_at)
    return {
        "run_seconds": JOBS.c.run_seconds + took,
        "device_seconds": JOBS.c.device_seconds + took / JOBS.c.batch_size,
    }


BY_ID = select(JOBS).where(Job.id == bindparam("job_id"))
BY_ID_OF_OWNER = BY_ID.where(Job.owner_id == bindparam("owner_id"))
ACCEPT_SQLITE = sqlite.insert(JOBS).on_conflict_do_nothing().returning(JOBS)
NOTE = insert(JobEvent.__table__)
#: Reasons that change a queued job's place and not its state: webhooks do not tell of them.
_UNTOLD = frozenset({"held", "released_by_owner", "moved"})
#: The guard of every worker's write.
MINE = and_(JOBS.c.id == bindparam("of_job"), RUNNING, JOBS.c.attempt == bindparam("of_attempt"))
ASKED_TO_STOP = select(JOBS.c.cancel_requested).where(MINE)
RENEW = update(JOBS).where(MINE).returning(JOBS.c.cancel_requested, JOBS.c.notify)
#: Every end of an attempt, whatever the job becomes.
END = (
    update(JOBS)
    .where(MINE)
    .values(
        version=JOBS.c.version + 1,
        lease_owner=None,
        lease_until=None,
        message="",  # what it was doing, which it does no more
        **spent(),
    )
    .returning(JOBS, CAPPED)
)
#: And of the job. Its place in line is nobody's any more.
FINISH = END.values(finished_at=now(), turn=None)
CANCEL = (
    update(JOBS)
    .where(JOBS.c.id == bindparam("of_job"), QUEUED | (RUNNING & ~JOBS.c.cancel_requested))
    .values(
        state=case((QUEUED, State.CANCELED.value), else_=State.RUNNING.value),
        finished_at=case((QUEUED, now()), else_=None),
        turn=case((QUEUED, None), else_=JOBS.c.turn),
        hold=None,
        cancel_requested=True,
        version=JOBS.c.version + 1,
    )
    .returning(JOBS)
)
SUCCEED = FINISH.values(
    state=State.SUCCEEDED.value,
    device=bindparam("ran_on"),
    peak_memory=bindparam("peak"),
    progress=1.0,
    error_code=None,
    error_detail=None,
)


def in_use(connection: Connection, artifact_ids: Sequence[str] | Select[str]) -> bool:
    """Whether a waiting or running job reads one of these artifacts (ids, or a query for them)."""
    reading = (
        select(Job.id)
        .select_from(JobInput)
        .join(Job, Job.id == JobInput.job_id)
        .where(JobInput.artifact_id.in_(artifact_ids), QUEUED | RUNNING)
        .limit(1)
    )
    return connection.execute(reading).first() is not None


def get_job(connection: Connection, job_id: str, owner_id: str | None, *, for_update: bool = False) -> JobRow:
    query = BY_ID if owner_id is None else BY_ID_OF_OWNER
    if for_update:
        query = query.with_for_update()
    values = {"job_id": job_id} if owner_id is None else {"job_id": job_id, "owner_id": owner_id}
    row = connection.execute(query, values).one_or_none()
    if row is None:
        raise NotFound("There is no such job.")
    return row


def record(connection: Connection, row: JobRow, reason: str | None = None) -> None:
    record_all(connection, [row], reason)


def insert_job(connection: Connection, values: Mapping[str, object]) -> JobRow | None:
    """The new row, its first event noted; None when its id or idempotency key is there already."""
    if connection.dialect.name != "sqlite":
        new = {f"new_{name}": value for name, value in values.items()}
        return connection.execute(_accepting(tuple(values)), new).one_or_none()
    row = connection.execute(ACCEPT_SQLITE, values).one_or_none()
    if row is not None:
        connection.execute(NOTE, _note(row))
    return row


@cache
def _accepting(names: tuple[str, ...]) -> Executable:
    """An insertion of these columns with the job's first event: a round trip fewer for each submission."""
    values = {name: bindparam(f"new_{name}", type_=JOBS.c[name].type) for name in names}
    made = postgresql.insert(JOBS).values(values).on_conflict_do_nothing().returning(JOBS).cte("accepted")
    first = select(made.c.id, made.c.version, made.c.state, made.c.attempt)
    return select(made).add_cte(
        NOTE.from_select(["job_id", "version", "state", "attempt"], first).cte("noted")
    )


def _note(row: JobRow, reason: str | None = None) -> dict[str, object]:
    return {
        "job_id": row.id,
        "version": row.version,
        "state": row.state,
        "attempt": row.attempt,
        "reason": reason,
    }


def record_all(connection: Connection, rows: Sequence[JobRow], reason: str | None = None) -> None:
    notes = [_note(row, reason) for row in rows]
    if notes:
        connection.execute(NOTE, notes)
    for row in rows:
        # One that succeeded is told of with its result (`jobs.store.worker`).
        if row.converts is not None and row.state in FINAL and row.state != State.SUCCEEDED:
            not_converted(connection, row)
        if row.notify and reason not in _UNTOLD:
            announce(connection, row)


def tidy(connection: Connection, row: JobRow) -> None:
    """What lost attempts, previews and checkpoints left behind is nobody's any more."""
    if row.attempt:
        connection.execute(insert(Cleanup).values(prefix=f"jobs/{row.id}", due_at=now(ORPHAN_GRACE_SECONDS)))


def plain(words: str) -> str:
    """Without U+0000, which PostgreSQL does not store."""
    return words.replace("\0", "")


def needs(names: Iterable[str]) -> str:
    """How a set of needs is written in the column `needs`."""
    return ",".join(sorted(names))
