"""What clients do to jobs: submit, look, cancel, delete."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, insert, select
from sqlalchemy.exc import IntegrityError

from jobs.clock import now
from jobs.errors import IdempotencyConflict, InUse, NotFound, WrongState
from jobs.labels import search_text
from jobs.models import Artifact, Cleanup, Job, JobEvent, JobInput, JobNetwork
from jobs.rows import ArtifactRow, EventRow, JobRow
from jobs.states import State
from jobs.store.base import StoreBase
from jobs.store.conversions import not_converted
from jobs.store.labels import tag
from jobs.store.line import left, lock_owner, own_place, stand
from jobs.store.outbox import announce
from jobs.store.places import positions
from jobs.store.rows import NewJob
from jobs.store.statements import (
    CANCEL,
    JOBS,
    get_job,
    in_use,
    insert_job,
    needs,
    record,
    tidy,
)
from jobs.store.usage import keep_account


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

        Raises NotFound, WrongState for a running job, InUse while a waiting job reads one of its results.
        """

        def work(connection: Connection) -> None:
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
            if in_use(connection, select(Artifact.id).where(Artifact.job_id == job_id)):
                raise InUse("A waiting or running job reads a result of this job.")
            keep_account(connection, row)
            if row.state == State.QUEUED and row.converts is not None:
                not_converted(connection, row)
            connection.execute(delete(Job).where(Job.id == job_id))
            if row.state == State.QUEUED:
                left(connection, [row], {row.id: row.turn})
            connection.execute(insert(Cleanup).values(prefix=f"jobs/{job_id}", due_at=now()))
            tidy(connection, row)  # once more later: a lost attempt's worker may still be writing

        self.database.write(work, repeatable=False)


def accept(connection: Connection, new: NewJob) -> tuple[JobRow, bool]:
    """`ClientSide.submit` within a transaction. A file or network that is gone is an IntegrityError."""
    where = stand(connection, new.owner_id, new.queue, new.priority, held=new.held)
    values = {
        "id": new.id,
        "owner_id": new.owner_id,
        "engine": new.engine,
        "queue": new.queue,
        "state": State.QUEUED.value,
        "priority": int(new.priority),
        "hold": where.hold,
        "turn": where.turn,
        "place": own_place(time.time(), new.priority),
        "model": new.model or new.engine,
        "batch": new.batch,
        "batch_most": new.batch_most,
        "cost": new.cost,
        "start_by": new.start_by,
        "timeout_seconds": new.timeout_seconds,
        "webhook": dict(new.webhook) if new.webhook is not None else None,
        "notify": where.heard or new.webhook is not None,
        "params": dict(new.params),
        "seed": new.seed,
        "needs": needs(new.weights),
        "converts": new.converts,
        "request_id": new.request_id,
        "tags": list(new.tags) or None,
        "meta": dict(new.meta) or None,
        "search": search_text(new.params, new.tags, new.meta),
        "idempotency_key": new.idempotency_key,
        "idempotency_hash": new.idempotency_hash,
    }
    made = insert_job(connection, values)
    if made is None:
        earlier = _earlier(connection, new)
        return earlier, earlier.id == new.id
    if new.inputs:
        reading = [{"job_id": new.id, "artifact_id": i} for i in dict.fromkeys(new.inputs)]
        connection.execute(insert(JobInput), reading)
    if new.networks:
        using = [{"job_id": new.id, "sha256": sha256} for sha256 in dict.fromkeys(new.networks)]
        connection.execute(insert(JobNetwork), using)
    if new.tags:
        tag(connection, made, new.tags)
    if made.notify:
        announce(connection, made)
    return made, True


def _earlier(connection: Connection, new: NewJob) -> JobRow:
    # Either our own row, whose commit was confirmed too late to be heard, or the key's first use.
    row = connection.execute(
        select(JOBS).where(
            (Job.id == new.id)
            | and_(Job.owner_id == new.owner_id, Job.idempotency_key == new.idempotency_key)
        )
    ).first()
    if row is None:
        raise NotFound("The job with this Idempotency-Key was deleted while this request ran.")
    if row.idempotency_hash != new.idempotency_hash:
        raise IdempotencyConflict(job_id=row.id)
    return row


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
        record(connection, row)
        tidy(connection, row)
        left(connection, [row], {row.id: seen.turn})
    return row
