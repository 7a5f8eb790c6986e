"""What was kept long enough: the results of jobs that ended as many days ago as their owner keeps them.

The job's row stays and says `data_removed`. A result that a waiting or running job reads stays with its whole
job until that one has ended, and one that a schedule reads while that one does. Uploads, which follow the
same rules, are in `jobs.files`.

Nothing here waits for a lock on these rows: what somebody else holds is being deleted, or taken as an input,
at this moment, and is looked at again in the next pass.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    ScalarSelect,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    select,
    type_coerce,
    update,
)

from jobs import policy
from jobs.clock import now
from jobs.models import Artifact, Cleanup, Job, JobInput, ScheduleInput, User
from jobs.store.base import StoreBase
from jobs.store.statements import JOBS

DAY = 86400.0

# As the partial index has them. A Boolean, of any kind, SQLAlchemy would compare with a number for SQLite.
ENDED = JOBS.c.finished_at.is_not(None)
KEPT: ColumnElement[bool] = literal_column("NOT jobs.data_removed")
_READER = Job.__table__.alias("reader")
_RESULT = Artifact.__table__.alias("result")


def cutoff(keep_seconds: ColumnElement[float] | float) -> ScalarSelect[datetime]:
    """What ended before this was kept for `keep_seconds`. A subquery, so that an index can be searched by it.

    (PostgreSQL's clock is volatile, and compared row by row where it stands bare.)
    """
    return select(type_coerce(now(-keep_seconds), Job.finished_at.type)).scalar_subquery()


_DAYS = func.coalesce(User.keep_days, bindparam("default_days", type_=Float))
_OLDEST_RESULT = (
    select(JOBS.c.finished_at)
    .where(JOBS.c.owner_id == User.id, ENDED, KEPT)
    .order_by(JOBS.c.finished_at)
    .limit(1)
    .scalar_subquery()
)
_OLDEST_FILE = (
    select(Artifact.created_at)
    .where(Artifact.owner_id == User.id)
    .order_by(Artifact.id)  # ids grow with time; the index that is there has them
    .limit(1)
    .scalar_subquery()
)
#: Owners who have something that may be due: two looks into an index for each.
_OWNERS = (
    select(
        User.id,
        (_DAYS * DAY).label("seconds"),
        func.coalesce(now(-_DAYS * DAY) > _OLDEST_RESULT, False).label("results"),
        func.coalesce(now(-_DAYS * DAY) > _OLDEST_FILE, False).label("files"),
    )
    .where(_DAYS > 0, User.id > bindparam("after"))
    .order_by(User.id)
    .limit(bindparam("most"))
)
#: A reader of one of its results that goes on. Not EXISTS, which PostgreSQL may turn into a join with all
#: readers there are, for every batch again.
_READER_LEFT = (
    select(literal_column("1"))
    .where(
        _RESULT.c.job_id == JOBS.c.id,
        JobInput.artifact_id == _RESULT.c.id,
        _READER.c.id == JobInput.job_id,
        _READER.c.finished_at.is_(None),
    )
    .limit(literal_column("1"))
    .scalar_subquery()
)
#: A schedule that reads one.
_SCHEDULE_LEFT = (
    select(literal_column("1"))
    .where(_RESULT.c.job_id == JOBS.c.id, ScheduleInput.artifact_id == _RESULT.c.id)
    .limit(literal_column("1"))
    .scalar_subquery()
)
DUE = (
    select(JOBS.c.id, JOBS.c.attempt)
    .where(
        JOBS.c.owner_id == bindparam("of_owner"),
        ENDED,
        KEPT,
        JOBS.c.finished_at < cutoff(bindparam("keep", type_=Float)),
        _READER_LEFT.is_(None),
        _SCHEDULE_LEFT.is_(None),
    )
    .order_by(JOBS.c.finished_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=JOBS)
)


@dataclass(frozen=True)
class Keeping:
    """How long an owner's things are kept, and of which kind some may be due."""

    owner_id: str
    seconds: float
    results: bool
    files: bool


class Retention(StoreBase):
    """Ends the keeping of results."""

    def keeping(self, *, after: str = "", limit: int = 200) -> list[Keeping]:
        """The next owners `after` an owner id whose things are not kept for ever."""
        values = {"default_days": policy.keep_days(), "after": after, "most": limit}
        found = self.database.read(lambda c: list(c.execute(_OWNERS, values)))
        return [Keeping(row.id, row.seconds, bool(row.results), bool(row.files)) for row in found]

    def expire_results(self, owner_id: str, keep_seconds: float, *, limit: int = 100) -> list[str]:
        """Remove the results of some of an owner's jobs that ended that long ago, the oldest first.

        Their rows at once, their objects by the sweeper. Returns the jobs' ids; as many as `limit` mean that
        there may be more.
        """
        values = {"of_owner": owner_id, "keep": keep_seconds, "most": limit}

        def work(connection: Connection) -> list[str]:
            due = {row.id: row for row in connection.execute(DUE, values)}
            going = _unread(connection, list(due))
            if not going:
                return []
            connection.execute(delete(Artifact).where(Artifact.job_id.in_(going)))
            # No event: it is no change of state, and nobody is told of it.
            connection.execute(
                update(JOBS)
                .where(JOBS.c.id.in_(going))
                .values(data_removed=True, version=JOBS.c.version + 1, preview_key=None, checkpoint_key=None)
            )
            folders = [{"prefix": f"jobs/{job_id}"} for job_id in going if due[job_id].attempt]
            if folders:
                connection.execute(insert(Cleanup).values(due_at=now()), folders)
            return going

        return self.database.write(work)

    def abandoned(self, job_id: str) -> None:
        """An attempt that lost its lease has stopped writing: have its folder looked through, late as it is.

        Only if the job has ended meanwhile, or was deleted. While it goes on its outputs have no rows yet,
        and its end has the folder looked through anyway.
        """
        goes_on = exists().where(JOBS.c.id == job_id, JOBS.c.finished_at.is_(None))
        asking = insert(Cleanup).from_select(
            ["prefix", "due_at"], select(literal(f"jobs/{job_id}"), now()).where(~goes_on)
        )
        self.database.write(lambda c: c.execute(asking))


class _Ended(Protocol):
    finished_at: datetime | None
    data_removed: bool


def expires_at(row: _Ended, keep_days: float) -> datetime | None:
    """When a job's results are removed; None: they were, or are kept for ever, or it has not ended."""
    if not keep_days or row.finished_at is None or row.data_removed:
        return None
    return row.finished_at + timedelta(days=keep_days)


def _unread(connection: Connection, job_ids: list[str]) -> list[str]:
    """Those of these jobs no result of which is read, with all their results locked."""
    theirs = Artifact.job_id.in_(job_ids)
    made = Counter(connection.execute(select(Artifact.job_id).where(theirs)).scalars())
    locking = select(Artifact.job_id).where(theirs).with_for_update(skip_locked=True)
    locked = Counter(connection.execute(locking).scalars())
    # Once more, in a new statement: a job that was accepted before we had the locks is seen now.
    reading = (
        select(Artifact.job_id)
        .join(JobInput, JobInput.artifact_id == Artifact.id)
        .join(Job, Job.id == JobInput.job_id)
        .where(theirs, Job.finished_at.is_(None))
    )
    keeping = select(Artifact.job_id).join(ScheduleInput, ScheduleInput.artifact_id == Artifact.id)
    read = {
        *connection.execute(reading).scalars(),
        *connection.execute(keeping.where(theirs)).scalars(),
    }
    return [job_id for job_id in job_ids if job_id not in read and locked[job_id] == made[job_id]]
