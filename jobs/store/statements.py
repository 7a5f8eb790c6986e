"""The statements that run often, built once.

Building a statement costs as much as running it, and every submission, poll and claim runs these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    literal_column,
    select,
    update,
)

from jobs.clock import now, seconds_since
from jobs.errors import NotFound
from jobs.models import Job, JobInput, ScheduleInput
from jobs.rows import JobRow
from jobs.states import State
from jobs.store.line.admitting import CAPPED

#: Attempts that may end in a transient error or a lost worker before the job fails.
MAX_FAILURES = 3

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
#: The progress of a job that goes back into the line: what its parts have made stays made.
LEFT_OVER = case((JOBS.c.parts > 0, JOBS.c.progress), else_=0.0)
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
    """Whether a schedule or an unfinished job reads one of these artifacts (ids, or a query for them)."""
    reading = (
        select(Job.id)
        .select_from(JobInput)
        .join(Job, Job.id == JobInput.job_id)
        .where(JobInput.artifact_id.in_(artifact_ids), QUEUED | RUNNING)
        .limit(1)
    )
    keeping = select(ScheduleInput.schedule_id).where(ScheduleInput.artifact_id.in_(artifact_ids)).limit(1)
    return any(connection.execute(query).first() is not None for query in (reading, keeping))


def get_job(connection: Connection, job_id: str, owner_id: str | None, *, for_update: bool = False) -> JobRow:
    query = BY_ID if owner_id is None else BY_ID_OF_OWNER
    if for_update:
        query = query.with_for_update()
    values = {"job_id": job_id} if owner_id is None else {"job_id": job_id, "owner_id": owner_id}
    row = connection.execute(query, values).one_or_none()
    if row is None:
        raise NotFound("There is no such job.")
    return row


def plain(words: str) -> str:
    """Without U+0000, which PostgreSQL does not store."""
    return words.replace("\0", "")


def needs(names: Iterable[str]) -> str:
    """How a set of needs is written in the column `needs`."""
    return ",".join(sorted(names))
