"""What clients do to jobs: submit, look, cancel, delete."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.exc import IntegrityError

from jobs.errors import InUse, NotFound, WrongState
from jobs.models import Artifact, Job, JobEvent
from jobs.rows import ArtifactRow, EventRow, JobRow
from jobs.states import State
from jobs.store import ending
from jobs.store.accepting import accept
from jobs.store.base import StoreBase
from jobs.store.ending import ended
from jobs.store.events import note
from jobs.store.line.admitting import lock_owner
from jobs.store.line.places import positions
from jobs.store.statements import (
    CANCEL,
    JOBS,
    get_job,
    in_use,
)
from jobs.store.values import NewJob

_GOES_ON = select(JOBS.c.id).where(JOBS.c.id == bindparam("of_job"), JOBS.c.finished_at.is_(None))


class ClientSide(StoreBase):
    """What clients do to jobs: submit, look, cancel, delete."""

    def submit(self, new: NewJob) -> tuple[JobRow, bool]:
        """Accept a job: `(row, True)`, or `(the earlier row, False)` for a repeated idempotency key.

        Raises IdempotencyConflict when the key came with another request before, NotFound when an input
        was deleted meanwhile.
        """
        try:
            return self.database.write(lambda c: accept(c, new))
        except IntegrityError as error:
            raise NotFound("A file or a network of this job is no longer there.") from error

    def by_idempotency_key(self, owner_id: str, key: str) -> JobRow | None:
        """The job this owner's key made, if any."""
        return self.database.read(
            lambda c: c.execute(
                select(JOBS).where(Job.owner_id == owner_id, Job.idempotency_key == key)
            ).one_or_none()
        )

    def get(self, job_id: str, owner_id: str | None = None) -> JobRow:
        """One job; with `owner_id`, only if it is that owner's. Raises NotFound."""
        return self.database.read(lambda c: get_job(c, job_id, owner_id))

    def positions(self, rows: Sequence[JobRow]) -> dict[str, int]:
        """`position` of each of these jobs that has one, by its id: as many statements as there are queues,
        and one more for those behind the line.
        """
        return self.database.read(lambda c: positions(c, rows))

    def artifacts(self, job_ids: Sequence[str]) -> dict[str, list[ArtifactRow]]:
        """The results of each of these jobs."""
        found: dict[str, list[ArtifactRow]] = {job_id: [] for job_id in job_ids}
        query = select(Artifact.__table__).where(Artifact.job_id.in_(job_ids)).order_by(Artifact.id)
        for row in self.database.read(lambda c: list(c.execute(query))):
            found[row.job_id].append(row)
        return found

    def events(self, job_id: str, after: int = 0) -> list[EventRow]:
        """The changes of state after version `after`, oldest first."""
        query = (
            select(JobEvent.__table__)
            .where(JobEvent.job_id == job_id, JobEvent.version > after)
            .order_by(JobEvent.version)
        )
        return self.database.read(lambda c: list(c.execute(query)))

    def cancel(self, job_id: str, owner_id: str | None) -> JobRow:
        """Stop a job: at once when it is queued, at its next progress report when it is running.

        A final job stays as it is. A running job may still succeed if its success was on its way.
        Raises NotFound.
        """
        return self.database.write(lambda c: cancel(c, job_id, owner_id))

    def delete(self, job_id: str, owner_id: str | None) -> None:
        """Delete a job that is not running: its row, its results' rows, and (by the sweeper) its objects.

        Raises NotFound, WrongState for a running job, InUse while a waiting job or a schedule reads one of
        its results or the job that asked for it goes on.
        """
        self.database.write(lambda c: delete(c, job_id, owner_id), repeatable=False)


def cancel(connection: Connection, job_id: str, owner_id: str | None) -> JobRow:
    """`ClientSide.cancel` within a transaction. Raises NotFound."""
    seen = get_job(connection, job_id, owner_id)
    if seen.state == State.QUEUED:
        lock_owner(connection, seen.owner_id)
    # One statement for both states: between two, the job could change from one to the other.
    row = connection.execute(CANCEL, {"of_job": job_id}).one_or_none()
    if row is None:
        return get_job(connection, job_id, owner_id)
    if row.state == State.CANCELED:
        note(connection, [row])
        ended(connection, [row], turns={row.id: seen.turn})
    return row


def delete(connection: Connection, job_id: str, owner_id: str | None) -> None:
    """`ClientSide.delete` within a transaction. Raises as that does."""
    seen = get_job(connection, job_id, owner_id)
    # Before any lock: the end of a running job may be waiting for the owner's.
    if seen.state == State.RUNNING:
        raise WrongState("A running job cannot be deleted; cancel it first.")
    lock_owner(connection, seen.owner_id)
    # FOR UPDATE: between check and delete no worker claims it and nobody takes its results as inputs.
    connection.execute(select(Artifact.id).where(Artifact.job_id == job_id).with_for_update())
    row = get_job(connection, job_id, owner_id, for_update=True)
    if row.state == State.RUNNING:
        raise WrongState("A running job cannot be deleted; cancel it first.")
    if row.part_of and connection.execute(_GOES_ON, {"of_job": row.part_of}).first() is not None:
        raise InUse(f"The job {row.part_of} asked for it and goes on; cancel or delete that one.")
    if in_use(connection, select(Artifact.id).where(Artifact.job_id == job_id)):
        raise InUse("A schedule, or a waiting or running job, reads a result of this job.")
    ending.delete(connection, row)
