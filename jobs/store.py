"""JobStore: every SQL statement about jobs. One method is one transaction.

A worker's writes are guarded by `id`, `state = 'running'` and the attempt number it was given at the claim.
The attempt number only grows, so a worker that lost its lease matches no row and changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Float,
    Row,
    ScalarSelect,
    Table,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ReturningUpdate

from jobs.clock import now
from jobs.database import Database
from jobs.errors import IdempotencyConflict, InUse, LeaseLost, NotFound, WrongState
from jobs.ids import new_id
from jobs.models import Artifact, Cleanup, Job, JobEvent, JobInput
from jobs.states import FINAL, State

#: Attempts that may end in a transient error or a lost worker before the job fails.
MAX_FAILURES = 3
#: A lost attempt's worker stops itself well within this time; then its objects are nobody's.
ORPHAN_GRACE_SECONDS = 600.0
#: How far `queue_position` counts; a job behind that many has no use for the exact number.
MAX_POSITION = 1000

JobRow = Row[Any]

# Literals, not bound values: a partial index serves only a query whose predicate is known when it is planned.
_QUEUED = Job.state == literal_column("'queued'")
_RUNNING = Job.state == literal_column("'running'")
_JOBS = cast(Table, Job.__table__)

# Built once: every submission and every poll runs these, and building one costs as much as running it.
_BY_ID = select(_JOBS).where(Job.id == bindparam("job_id"))
_BY_ID_OF_OWNER = _BY_ID.where(Job.owner_id == bindparam("owner_id"))
_ACCEPT_SQLITE = sqlite.insert(_JOBS).on_conflict_do_nothing().returning(_JOBS)
_ACCEPT_POSTGRESQL = postgresql.insert(_JOBS).on_conflict_do_nothing().returning(_JOBS)
_NOTE = insert(cast(Table, JobEvent.__table__))
#: The guard of every worker's write.
_MINE = and_(_JOBS.c.id == bindparam("of_job"), _RUNNING, _JOBS.c.attempt == bindparam("of_attempt"))
_ASKED_TO_STOP = select(_JOBS.c.cancel_requested).where(_MINE)
_RENEW = update(_JOBS).where(_MINE).returning(_JOBS.c.cancel_requested)
_END = (
    update(_JOBS)
    .where(_MINE)
    .values(version=_JOBS.c.version + 1, lease_owner=None, lease_until=None)
    .returning(_JOBS)
)
_CANCEL = (
    update(_JOBS)
    .where(_JOBS.c.id == bindparam("of_job"), _QUEUED | (_RUNNING & ~_JOBS.c.cancel_requested))
    .values(
        state=case((_QUEUED, State.CANCELED.value), else_=State.RUNNING.value),
        finished_at=case((_QUEUED, now()), else_=None),
        cancel_requested=True,
        version=_JOBS.c.version + 1,
    )
    .returning(_JOBS)
)
_SUCCEED = _END.values(
    state=State.SUCCEEDED.value,
    finished_at=now(),
    device=bindparam("ran_on"),
    progress=1.0,
    message="",
    error_code=None,
    error_detail=None,
)
_WAITING = (
    select(_JOBS.c.id)
    .where(
        _QUEUED,
        _JOBS.c.queue == bindparam("from_queue"),
        _JOBS.c.run_after <= now(),
        _JOBS.c.engine.in_(bindparam("known", expanding=True)),
        _JOBS.c.needs.in_(bindparam("had", expanding=True)),
    )
    .order_by(_JOBS.c.priority.desc(), _JOBS.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
    .cte("waiting")  # PostgreSQL evaluates a locking CTE once; a plain IN (... LIMIT) it may repeat
)
_CLAIM = (
    update(_JOBS)
    .where(_JOBS.c.id.in_(select(_WAITING.c.id)))
    .values(
        state=State.RUNNING.value,
        attempt=_JOBS.c.attempt + 1,
        version=_JOBS.c.version + 1,
        lease_owner=bindparam("worker_id"),
        lease_until=now(bindparam("lease", type_=Float)),
        started_at=now(),
        progress=0.0,
        message="",
        preview_key=None,
    )
    .returning(_JOBS)
)


def _up_to_most(condition: ColumnElement[bool]) -> ScalarSelect[int]:
    waiting = select(_JOBS.c.id).where(_QUEUED, _JOBS.c.queue == bindparam("in_queue"), condition)
    return select(func.count()).select_from(waiting.limit(MAX_POSITION - 1).subquery()).scalar_subquery()


# Two counts, each a range of the index; one count with OR would filter the whole backlog.
_AHEAD = select(
    _up_to_most(_JOBS.c.priority > bindparam("of_priority")),
    _up_to_most(and_(_JOBS.c.priority == bindparam("of_priority"), _JOBS.c.id < bindparam("of_job"))),
)


@dataclass(frozen=True)
class NewJob:
    """A validated request, ready to be accepted."""

    owner_id: str
    engine: str
    queue: str
    params: Mapping[str, Any]
    seed: int
    #: Ids of the files its params name.
    inputs: Sequence[str] = ()
    #: Names of the weights files a worker must have.
    weights: Sequence[str] = ()
    priority: int = 0
    request_id: str | None = None
    idempotency_key: str | None = None
    idempotency_hash: str | None = None
    id: str = field(default_factory=lambda: new_id("job"))


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
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Beat:
    """What a heartbeat learns."""

    cancel_requested: bool


class JobStore:
    """The life of jobs, in one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # --- clients ---------------------------------------------------------------------------------

    def submit(self, new: NewJob) -> tuple[JobRow, bool]:
        """Accept a job: `(row, True)`, or `(the earlier row, False)` for a repeated idempotency key.

        Raises IdempotencyConflict when the key came with another request before, NotFound when an input
        was deleted meanwhile.
        """
        values = {
            "id": new.id,
            "owner_id": new.owner_id,
            "engine": new.engine,
            "queue": new.queue,
            "state": State.QUEUED.value,
            "priority": new.priority,
            "params": dict(new.params),
            "seed": new.seed,
            "needs": needs(new.weights),
            "request_id": new.request_id,
            "idempotency_key": new.idempotency_key,
            "idempotency_hash": new.idempotency_hash,
        }

        def work(connection: Connection) -> tuple[JobRow, bool]:
            accepting = _ACCEPT_SQLITE if self.database.is_sqlite else _ACCEPT_POSTGRESQL
            made = connection.execute(accepting, values).one_or_none()
            if made is None:
                return self._earlier(connection, new), False
            if new.inputs:
                connection.execute(
                    insert(JobInput),
                    [{"job_id": new.id, "artifact_id": i} for i in dict.fromkeys(new.inputs)],
                )
            _record(connection, made)
            return made, True

        try:
            return self.database.write(work)
        except IntegrityError as error:
            raise NotFound("A file of this job is no longer there.") from error

    def _earlier(self, connection: Connection, new: NewJob) -> JobRow:
        # Either our own row, whose commit was confirmed too late to be heard, or the key's first use.
        row = connection.execute(
            select(_JOBS).where(
                (Job.id == new.id)
                | and_(Job.owner_id == new.owner_id, Job.idempotency_key == new.idempotency_key)
            )
        ).first()
        if row is None:
            raise NotFound("The job with this Idempotency-Key was deleted while this request ran.")
        if row.idempotency_hash != new.idempotency_hash:
            raise IdempotencyConflict(job_id=row.id)
        return row

    def by_idempotency_key(self, owner_id: str, key: str) -> JobRow | None:
        """The job this owner's key made, if any."""
        return self.database.read(
            lambda c: c.execute(
                select(_JOBS).where(Job.owner_id == owner_id, Job.idempotency_key == key)
            ).one_or_none()
        )

    def get(self, job_id: str, owner_id: str | None = None) -> JobRow:
        """One job; with `owner_id`, only if it is that owner's. Raises NotFound."""
        return self.database.read(lambda c: _get(c, job_id, owner_id))

    def page(
        self,
        owner_id: str | None,
        *,
        states: Sequence[State] = (),
        engine: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> list[JobRow]:
        """Newest first; `before` is the id of the last job of the page before."""
        query = select(_JOBS).order_by(Job.id.desc()).limit(limit)
        if owner_id is not None:
            query = query.where(Job.owner_id == owner_id)
        if states:
            query = query.where(Job.state.in_([s.value for s in states]))
        if engine is not None:
            query = query.where(Job.engine == engine)
        if before is not None:
            query = query.where(Job.id < before)
        return self.database.read(lambda c: list(c.execute(query)))

    def position(self, job: JobRow) -> int:
        """1 for the job its queue will hand out next; counted up to MAX_POSITION."""
        values = {"in_queue": job.queue, "of_priority": job.priority, "of_job": job.id}
        higher, older = self.database.read(lambda c: c.execute(_AHEAD, values).one())
        return min(higher + older + 1, MAX_POSITION)

    def artifacts(self, job_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
        """The results of each of these jobs."""
        found: dict[str, list[Row[Any]]] = {job_id: [] for job_id in job_ids}
        query = select(Artifact.__table__).where(Artifact.job_id.in_(job_ids)).order_by(Artifact.id)
        for row in self.database.read(lambda c: list(c.execute(query))):
            found[row.job_id].append(row)
        return found

    def events(self, job_id: str, after: int = 0) -> list[Row[Any]]:
        """The changes of state after version `after`, oldest first."""
        query = (
            select(JobEvent.__table__)
            .where(JobEvent.job_id == job_id, JobEvent.version > after)
            .order_by(JobEvent.version)
        )
        return self.database.read(lambda c: list(c.execute(query)))

    def versions(self, job_ids: Sequence[str]) -> dict[str, int]:
        """The version of each of these jobs that is still there: one statement for all watchers."""
        query = select(Job.id, Job.version).where(Job.id.in_(job_ids))
        return self.database.read(lambda c: {row.id: row.version for row in c.execute(query)})

    def cancel(self, job_id: str, owner_id: str | None) -> JobRow:
        """Stop a job: at once when it is queued, at its next progress report when it is running.

        A final job stays as it is. A running job may still succeed if its success was on its way.
        Raises NotFound.
        """

        def work(connection: Connection) -> JobRow:
            _get(connection, job_id, owner_id)
            # One statement for both states: between two, the job could change from one to the other.
            row = connection.execute(_CANCEL, {"of_job": job_id}).one_or_none()
            if row is None:
                return _get(connection, job_id, owner_id)
            if row.state == State.CANCELED:
                _record(connection, row)
                _tidy(connection, row)
            return row

        return self.database.write(work)

    def delete(self, job_id: str, owner_id: str | None) -> None:
        """Delete a job that is not running: its row, its results' rows, and (by the sweeper) its objects.

        Raises NotFound, WrongState for a running job, InUse while a waiting job reads one of its results.
        """

        def work(connection: Connection) -> None:
            # FOR UPDATE: between check and delete no worker claims it and nobody takes its results as inputs.
            connection.execute(select(Artifact.id).where(Artifact.job_id == job_id).with_for_update())
            row = _get(connection, job_id, owner_id, for_update=True)
            if row.state == State.RUNNING:
                raise WrongState("A running job cannot be deleted; cancel it first.")
            if in_use(connection, select(Artifact.id).where(Artifact.job_id == job_id)):
                raise InUse("A waiting or running job reads a result of this job.")
            connection.execute(delete(Job).where(Job.id == job_id))
            connection.execute(insert(Cleanup).values(prefix=f"jobs/{job_id}", due_at=now()))
            _tidy(connection, row)  # once more later: a lost attempt's worker may still be writing

        self.database.write(work, repeatable=False)

    # --- workers ---------------------------------------------------------------------------------

    def claim(
        self,
        worker_id: str,
        queue: str,
        *,
        engines: Sequence[str],
        weights: Sequence[str] = (),
        lease_seconds: float,
        limit: int = 1,
    ) -> list[JobRow]:
        """Take the best waiting jobs of a queue: highest priority, then oldest. Starts attempt + 1.

        Only jobs of these engines, and only those that need no other weights files than these.
        """
        values = {
            "from_queue": queue,
            "known": list(engines),
            "had": [needs(some) for n in range(len(weights) + 1) for some in combinations(weights, n)],
            "most": limit,
            "worker_id": worker_id,
            "lease": lease_seconds,
        }

        def work(connection: Connection) -> list[JobRow]:
            rows = list(connection.execute(_CLAIM, values))
            for row in rows:
                _record(connection, row)
            return rows

        # Repeated after a lost answer it would take a second job and leave the first to its lease.
        return self.database.write(work, repeatable=False, survives_power_cut=False)

    def beat(
        self,
        job_id: str,
        attempt: int,
        *,
        lease_seconds: float,
        progress: float | None = None,
        message: str | None = None,
        preview_key: str | None = None,
    ) -> Beat:
        """Renew the lease and, when given, report progress. Raises LeaseLost."""
        renewing = _RENEW.values(lease_until=now(lease_seconds))
        if progress is not None:
            renewing = renewing.values(progress=progress, version=Job.version + 1)
        if message is not None:
            renewing = renewing.values(message=_plain(message)[:200])
        if preview_key is not None:
            renewing = renewing.values(preview_key=preview_key)
        mine = {"of_job": job_id, "of_attempt": attempt}
        found = self.database.write(
            lambda c: c.execute(renewing, mine).scalar_one_or_none(), survives_power_cut=False
        )
        if found is None:
            raise LeaseLost
        return Beat(cancel_requested=found)

    def cancel_requested(self, job_id: str, attempt: int) -> bool:
        """Whether this attempt must stop. Raises LeaseLost."""
        mine = {"of_job": job_id, "of_attempt": attempt}
        found = self.database.read(lambda c: c.execute(_ASKED_TO_STOP, mine).scalar_one_or_none())
        if found is None:
            raise LeaseLost
        return bool(found)

    def save_checkpoint(self, job_id: str, attempt: int, key: str) -> None:
        """Remember where the newest checkpoint is. Raises LeaseLost."""
        saving = update(_JOBS).where(_MINE).values(checkpoint_key=key)
        mine = {"of_job": job_id, "of_attempt": attempt}
        done = self.database.write(lambda c: cast("CursorResult[Any]", c.execute(saving, mine)).rowcount)
        if not done:
            raise LeaseLost

    def succeed(
        self,
        job_id: str,
        attempt: int,
        artifacts: Sequence[NewArtifact],
        *,
        device: str | None = None,
        leftovers: bool = False,
    ) -> JobRow:
        """End the attempt with its results, whose bytes are stored already. Raises LeaseLost.

        `leftovers`: the attempt stored other objects too, a preview or a checkpoint, that may go now.
        """

        def add(connection: Connection, row: JobRow) -> None:
            if leftovers or attempt > 1:
                _tidy(connection, row)
            if artifacts:
                connection.execute(
                    insert(Artifact),
                    [
                        {
                            "id": new_id("art"),
                            "owner_id": row.owner_id,
                            "job_id": job_id,
                            "name": a.name,
                            "key": a.key,
                            "media_type": a.media_type,
                            "size": a.size,
                            "sha256": a.sha256,
                            "width": a.width,
                            "height": a.height,
                            "meta": dict(a.meta),
                        }
                        for a in artifacts
                    ],
                )

        return self._end(_SUCCEED, job_id, attempt, State.SUCCEEDED, then=add, ran_on=device)

    def fail(self, job_id: str, attempt: int, *, code: str, detail: str, device: str | None = None) -> JobRow:
        """End the attempt and the job with an error. Raises LeaseLost."""
        failing = _END.values(
            state=State.FAILED.value,
            finished_at=now(),
            error_code=code,
            error_detail=_plain(detail),
            device=device,
        )
        return self._end(failing, job_id, attempt, State.FAILED, reason=code)

    def end_canceled(self, job_id: str, attempt: int) -> JobRow:
        """The worker has stopped: the job is canceled. Raises LeaseLost."""
        canceling = _END.values(state=State.CANCELED.value, finished_at=now())
        return self._end(canceling, job_id, attempt, State.CANCELED)

    def retry_later(
        self, job_id: str, attempt: int, *, code: str, detail: str, delay_seconds: float
    ) -> JobRow:
        """A transient error: queued again after a delay, or failed when the attempts are used up.

        A job that was asked to stop meanwhile is canceled instead. Raises LeaseLost.
        """
        last = _JOBS.c.failures + 1 >= MAX_FAILURES
        asked = _JOBS.c.cancel_requested
        retrying = _END.values(
            state=case((asked, State.CANCELED.value), (last, State.FAILED.value), else_=State.QUEUED.value),
            failures=_JOBS.c.failures + 1,
            error_code=case((asked, None), else_=code),
            error_detail=case((asked, None), else_=_plain(detail)),
            run_after=now(delay_seconds),
            finished_at=case((asked | last, now()), else_=None),
        )
        return self._end(retrying, job_id, attempt, State.QUEUED, State.FAILED, State.CANCELED, reason=code)

    def release(self, job_id: str, attempt: int) -> JobRow:
        """A worker that shuts down gives the job back; this counts as no failure.

        A job that was asked to stop meanwhile is canceled instead. Raises LeaseLost.
        """
        asked = _JOBS.c.cancel_requested
        releasing = _END.values(
            state=case((asked, State.CANCELED.value), else_=State.QUEUED.value),
            run_after=now(),
            finished_at=case((asked, now()), else_=None),
        )
        return self._end(releasing, job_id, attempt, State.QUEUED, State.CANCELED, reason="released")

    def _end(
        self,
        ending: ReturningUpdate[Any],
        job_id: str,
        attempt: int,
        *becomes: State,
        reason: str | None = None,
        then: Callable[[Connection, JobRow], None] | None = None,
        **values: Any,
    ) -> JobRow:
        """Leave `running` for one of the states `becomes`, as the owner of this attempt."""
        values |= {"of_job": job_id, "of_attempt": attempt}

        def work(connection: Connection) -> JobRow:
            row = connection.execute(ending, values).one_or_none()
            if row is None:
                # The statement may have been repeated after a commit whose answer was lost.
                seen = connection.execute(_BY_ID, {"job_id": job_id}).one_or_none()
                if seen is None or seen.attempt != attempt or seen.state not in becomes:
                    raise LeaseLost
                return seen
            _record(connection, row, reason)
            if then is not None:
                then(connection, row)
            if row.state in FINAL and row.state != State.SUCCEEDED:
                _tidy(connection, row)
            return row

        return self.database.write(work)

    # --- the sweeper -----------------------------------------------------------------------------

    def expire_leases(
        self, *, worker_id: str | None = None, charge: bool = True, limit: int = 100
    ) -> list[JobRow]:
        """Take back jobs whose lease ran out (or, with `worker_id`, all that this dead worker held).

        `charge=False`: the worker was ended on purpose, which is no failure of the job's.

        Each becomes canceled if that was asked for, failed (`worker_lost`) when its attempts are used up,
        and queued otherwise. Returns the rows as they are now.
        """
        mine = Job.lease_until < now() if worker_id is None else Job.lease_owner == worker_id
        lost = (
            select(Job.id)
            .where(_RUNNING, mine)
            .order_by(Job.lease_until)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("lost")
        )
        failures = Job.failures + (1 if charge else 0)
        last = failures >= MAX_FAILURES
        stopped = Job.cancel_requested | last
        taking = (
            update(Job)
            .where(Job.id.in_(select(lost.c.id)), _RUNNING)
            .values(
                state=case(
                    (Job.cancel_requested, State.CANCELED.value),
                    (last, State.FAILED.value),
                    else_=State.QUEUED.value,
                ),
                version=Job.version + 1,
                failures=failures,
                lease_owner=None,
                lease_until=None,
                run_after=now(),
                finished_at=case((stopped, now()), else_=None),
                error_code=case((Job.cancel_requested, None), (last, "worker_lost"), else_=None),
                error_detail=case(
                    (Job.cancel_requested, None),
                    (last, f"Its worker died or lost contact {MAX_FAILURES} times."),
                    else_=None,
                ),
            )
            .returning(_JOBS)
        )

        def work(connection: Connection) -> list[JobRow]:
            rows = list(connection.execute(taking))
            for row in rows:
                _record(connection, row, "lease_lost" if row.state != State.FAILED else "worker_lost")
                if row.state in FINAL:
                    _tidy(connection, row)
            return rows

        return self.database.write(work)

    def fail_orphans(self, engines: Sequence[str], *, after_seconds: float) -> list[JobRow]:
        """End jobs that have waited long for an engine that is none of these: it was removed."""
        failing = (
            update(_JOBS)
            .where(_QUEUED, _JOBS.c.engine.not_in(engines), _JOBS.c.created_at < now(-after_seconds))
            .values(
                state=State.FAILED.value,
                finished_at=now(),
                version=_JOBS.c.version + 1,
                error_code="engine_gone",
                error_detail="No worker has this engine any more.",
            )
            .returning(_JOBS)
        )

        def work(connection: Connection) -> list[JobRow]:
            rows = list(connection.execute(failing))
            for row in rows:
                _record(connection, row, "engine_gone")
                _tidy(connection, row)
            return rows

        return self.database.write(work)

    def due_by_queue(self) -> dict[str, int]:
        """How many jobs wait in each queue and may be claimed now."""
        query = select(Job.queue, func.count()).where(_QUEUED, Job.run_after <= now()).group_by(Job.queue)
        return dict(self.database.read(lambda c: [(row[0], row[1]) for row in c.execute(query)]))

    def counts(self) -> list[tuple[str, str, str, int]]:
        """(engine, queue, state, how many) over all jobs, for the metrics."""
        query = select(Job.engine, Job.queue, Job.state, func.count()).group_by(
            Job.engine, Job.queue, Job.state
        )
        return self.database.read(
            lambda c: [(engine, queue, state, count) for engine, queue, state, count in c.execute(query)]
        )

    def run_seconds(self) -> list[tuple[str, str, int, float]]:
        """(engine, state, how many, seconds of last attempts) over finished jobs, for the metrics."""
        if self.database.is_sqlite:
            seconds = (func.julianday(Job.finished_at) - func.julianday(Job.started_at)) * 86400.0
        else:
            seconds = func.extract("epoch", Job.finished_at - Job.started_at)
        query = (
            select(Job.engine, Job.state, func.count(), func.sum(seconds))
            .where(Job.finished_at.is_not(None), Job.started_at.is_not(None))
            .group_by(Job.engine, Job.state)
        )
        return self.database.read(
            lambda c: [(row[0], row[1], row[2], float(row[3])) for row in c.execute(query)]
        )

    def oldest_queued(self) -> dict[str, datetime]:
        """When the oldest waiting job of each queue was accepted."""
        query = select(Job.queue, func.min(Job.created_at)).where(_QUEUED).group_by(Job.queue)
        return dict(self.database.read(lambda c: [(row[0], row[1]) for row in c.execute(query)]))


def needs(weights: Iterable[str]) -> str:
    """How a set of weights files is written in the column `needs`."""
    return ",".join(sorted(weights))


def request_hash(body: bytes) -> str:
    """The fingerprint an Idempotency-Key is remembered with."""
    return hashlib.sha256(body).hexdigest()


def in_use(connection: Connection, artifact_ids: Any) -> bool:
    """Whether a waiting or running job reads one of these artifacts (ids, or a query for them)."""
    reading = (
        select(Job.id)
        .select_from(JobInput)
        .join(Job, Job.id == JobInput.job_id)
        .where(JobInput.artifact_id.in_(artifact_ids), _QUEUED | _RUNNING)
        .limit(1)
    )
    return connection.execute(reading).first() is not None


def _get(connection: Connection, job_id: str, owner_id: str | None, *, for_update: bool = False) -> JobRow:
    query = _BY_ID if owner_id is None else _BY_ID_OF_OWNER
    if for_update:
        query = query.with_for_update()
    values = {"job_id": job_id} if owner_id is None else {"job_id": job_id, "owner_id": owner_id}
    row = connection.execute(query, values).one_or_none()
    if row is None:
        raise NotFound("There is no such job.")
    return row


def _change(connection: Connection, statement: Update, reason: str | None = None) -> JobRow | None:
    """Run a guarded change of state and record it; None when the guard matched no row."""
    row = connection.execute(statement.values(version=Job.version + 1).returning(_JOBS)).one_or_none()
    if row is not None:
        _record(connection, row, reason)
    return row


def _record(connection: Connection, row: JobRow, reason: str | None = None) -> None:
    connection.execute(
        _NOTE,
        {
            "job_id": row.id,
            "version": row.version,
            "state": row.state,
            "attempt": row.attempt,
            "reason": reason,
        },
    )


def _tidy(connection: Connection, row: JobRow) -> None:
    """What lost attempts, previews and checkpoints left behind is nobody's any more."""
    if row.attempt:
        connection.execute(insert(Cleanup).values(prefix=f"jobs/{row.id}", due_at=now(ORPHAN_GRACE_SECONDS)))


def _plain(words: str) -> str:
    """Without U+0000, which PostgreSQL does not store."""
    return words.replace("\0", "")
