"""Jobs that ask for other jobs, their parts: put aside without a worker until all of these have ended.

What the end of a part means to its job is in `jobs.store.parts`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from jobs import policy
from jobs.clock import now
from jobs.errors import InUse, LeaseLost, NotFound, PartConflict, WrongState
from jobs.models import Job
from jobs.rows import ArtifactRow, EndedRow, JobRow, PartRow, StageRow
from jobs.sql import fetch_all, fetch_one
from jobs.states import Hold, State
from jobs.store.accepting import reads, row_of
from jobs.store.base import StoreBase
from jobs.store.client import cancel, delete
from jobs.store.ending import ended
from jobs.store.events import NOTE, Noted
from jobs.store.line.admitting import admit
from jobs.store.outbox import announce
from jobs.store.parts import ARTIFACTS, OF_JOB, ONE_LEFT, PARTS, read_results, stand_again
from jobs.store.statements import BY_ID, END, JOBS
from jobs.store.values import NewPart

#: So many tries back a job looks for parts that were made already.
_TRIES = 8
#: Workers that are woken for parts at once; whoever is awake goes on until nothing is left.
_MOST_RINGS = 64
#: Between the places of two parts behind the line, in seconds: they go in the order they were asked for in.
_STEP = 1e-6

_asked_to_stop = JOBS.c.cancel_requested
_PUT_ASIDE = Noted(
    EndedRow,
    END.values(
        state=case((_asked_to_stop, State.CANCELED.value), else_=State.QUEUED.value),
        hold=case((_asked_to_stop, None), else_=Hold.PARTS.value),
        finished_at=case((_asked_to_stop, now()), else_=None),
        turn=None,
        progress=bindparam("before"),
        error_code=None,
        error_detail=None,
        device=bindparam("ran_on"),
        peak_memory=bindparam("peak"),
    ),
)
_PARTS_OF = (
    select(PARTS, JOBS.c.state)
    .join(JOBS, JOBS.c.id == PARTS.c.part_id)
    .where(OF_JOB)
    .order_by(PARTS.c.number)
)
#: Of earlier tries of a job, what they have made and still have.
_MADE = (
    select(PARTS.c.name, PARTS.c.digest, PARTS.c.part_id)
    .join(JOBS, JOBS.c.id == PARTS.c.part_id)
    .where(
        PARTS.c.job_id.in_(bindparam("tries", expanding=True)),
        JOBS.c.state == State.SUCCEEDED.value,
        ~JOBS.c.data_removed,
    )
)
_RETRY_OF = select(JOBS.c.retry_of).where(JOBS.c.id == bindparam("of_job"))
_PART_OF = select(JOBS.c.part_of).where(JOBS.c.id == bindparam("of_job"))
_ASKED_FOR = (
    update(JOBS)
    .where(JOBS.c.id == bindparam("of_job"))
    .values(parts=JOBS.c.parts + bindparam("count"), progress=JOBS.c.progress + bindparam("share"))
)


def _how_many(state: State) -> ColumnElement[int]:
    return func.sum(case((JOBS.c.state == state.value, 1), else_=0)).label(state.value)


_RESULTS = (
    select(func.count()).select_from(ARTIFACTS).where(ARTIFACTS.c.job_id == JOBS.c.id).scalar_subquery()
)
_STAGES = (
    select(
        PARTS.c.job_id,
        PARTS.c.stage,
        func.count().label("jobs"),
        *map(_how_many, State),
        func.sum(JOBS.c.progress).label("progress"),
        func.sum(JOBS.c.attempt).label("attempts"),
        func.sum(JOBS.c.run_seconds).label("run_seconds"),
        func.sum(_RESULTS).label("artifacts"),
    )
    .join(JOBS, JOBS.c.id == PARTS.c.part_id)
    .group_by(PARTS.c.job_id, PARTS.c.stage)
    .order_by(PARTS.c.job_id, func.min(PARTS.c.number))
)

_parent = Job.__table__.alias("parent")
#: Parts that nobody waits for: their job has ended, or is gone.
_NOBODY_S = (
    select(JOBS.c.id)
    .outerjoin(_parent, _parent.c.id == JOBS.c.part_of)
    .where(
        JOBS.c.part_of.is_not(None),
        JOBS.c.finished_at.is_(None),
        ~JOBS.c.cancel_requested,
        or_(_parent.c.id.is_(None), _parent.c.finished_at.is_not(None)),
    )
    .limit(bindparam("most"))
)
_LEFT_OVER = (
    select(JOBS.c.id)
    .where(JOBS.c.part_of == literal_column("''"), JOBS.c.finished_at.is_not(None))
    .limit(bindparam("most"))
)


class Asking(StoreBase):
    """Jobs that ask for other jobs."""

    def wait_for(
        self,
        job_id: str,
        attempt: int,
        parts: Sequence[NewPart],
        *,
        progress: float = 0.0,
        device: str | None = None,
        peak_memory: int | None = None,
    ) -> JobRow:
        """Put a job aside until these parts have ended; one that it asked for before is the same part.

        `progress`: what it had when the attempt began; what the asking took is no part of the work.

        A part that an earlier try of the same job has made is used again. A job that was asked to stop is
        canceled instead, and one of whose parts none is left stands in line at once. Raises LeaseLost, and
        PartConflict for a name that was asked for before with other params. A file of a part that is gone is
        an IntegrityError.
        """
        ran = {"ran_on": device, "peak": peak_memory, "default_cap": policy.max_running(), "before": progress}
        mine = {"of_job": job_id, "of_attempt": attempt}

        def work(connection: Connection) -> JobRow:
            rows = _PUT_ASIDE.run(connection, ran | mine, reason="waits_for_parts")
            if not rows:
                return _put_aside_before(connection, job_id, attempt)
            (row,) = rows
            if row.state == State.CANCELED:
                ended(connection, rows)
                return row
            if row.notify:
                announce(connection, row)
            _ask(connection, row, parts)
            if row.capped:  # it runs no more
                admit(connection, row.owner_id, row.queue)
            left = connection.execute(ONE_LEFT, {"of_job": job_id}).scalar_one()
            return row if left else stand_again(connection, job_id) or row

        row = self.database.write(work)
        if row.hold == Hold.PARTS:
            for part in parts[:_MOST_RINGS]:
                self._ring(part.job.queue)
        return row

    def parts(self, job_id: str) -> list[PartRow]:
        """What a job has asked for, in that order."""
        return self.database.read(lambda c: fetch_all(c, PartRow, _PARTS_OF, {"of_job": job_id}))

    def part_results(self, job_id: str) -> dict[str, list[ArtifactRow]]:
        """Of each of its parts that ended well, the results; by the parts' names, in their order."""
        names = {part.part_id: part.name for part in self.parts(job_id) if part.state == State.SUCCEEDED}
        found: dict[str, list[ArtifactRow]] = {name: [] for name in names.values()}
        query = select(ARTIFACTS).join(PARTS, PARTS.c.part_id == ARTIFACTS.c.job_id).where(OF_JOB)
        query = query.order_by(ARTIFACTS.c.id)
        for row in self.database.read(lambda c: fetch_all(c, ArtifactRow, query, {"of_job": job_id})):
            if row.job_id in names:
                found[names[row.job_id]].append(row)
        return found

    def part_jobs(
        self, job_id: str, *, after: int | None = None, limit: int = 50
    ) -> list[tuple[PartRow, JobRow]]:
        """A page of its parts in their order, each with its job; `after` is the number of the last one."""
        page = _PARTS_OF.limit(limit)
        page = page if after is None else page.where(PARTS.c.number > after)

        def read(connection: Connection) -> list[tuple[PartRow, JobRow]]:
            parts = fetch_all(connection, PartRow, page, {"of_job": job_id})
            these = select(JOBS).where(JOBS.c.id.in_([part.part_id for part in parts]))
            jobs = {row.id: row for row in fetch_all(connection, JobRow, these)}
            return [(part, jobs[part.part_id]) for part in parts if part.part_id in jobs]

        return self.database.read(read)

    def stages(self, job_ids: Collection[str]) -> dict[str, list[StageRow]]:
        """How far the parts of each of these jobs have come, by their stages in order."""
        found: dict[str, list[StageRow]] = {job_id: [] for job_id in job_ids}
        if found:
            query = _STAGES.where(PARTS.c.job_id.in_(list(found)))
            for row in self.database.read(lambda c: fetch_all(c, StageRow, query)):
                found[row.job_id].append(row)
        return found

    def depth(self, job: JobRow, most: int) -> int:
        """How many jobs asked for one another down to this one, counted up to `most`; 0: nobody did."""

        def read(connection: Connection) -> int:
            depth, above = 0, job.part_of
            while above and depth < most:
                depth += 1
                above = connection.execute(_PART_OF, {"of_job": above}).scalar()
            return depth

        return self.database.read(read)

    def end_nobody_s_parts(self, *, limit: int = 100) -> int:
        """Cancel parts whose job has ended or is gone, delete what deleted jobs left. Returns how many."""
        values = {"most": limit}
        going = self.database.read(lambda c: list(c.execute(_NOBODY_S, values).scalars()))
        for job_id in going:  # one by one: no transaction ever holds two running jobs
            self.database.write(lambda c, job_id=job_id: _cancel(c, job_id))  # type: ignore[misc]
        left = self.database.read(lambda c: list(c.execute(_LEFT_OVER, values).scalars()))
        return len(going) + sum(map(self._delete, left))

    def _delete(self, job_id: str) -> bool:
        try:
            self.database.write(lambda c: delete(c, job_id, None), repeatable=False)
        except (NotFound, InUse, WrongState):
            return False  # somebody reads a result of it, or was quicker; a later pass looks again
        return True


def _cancel(connection: Connection, job_id: str) -> None:
    try:
        cancel(connection, job_id, None)
    except NotFound:
        return  # deleted meanwhile


def _put_aside_before(connection: Connection, job_id: str, attempt: int) -> JobRow:
    """The job, if the answer was lost of the commit that had put it aside. Raises LeaseLost."""
    seen = fetch_one(connection, JobRow, BY_ID, {"job_id": job_id})
    if seen is None or seen.attempt != attempt or seen.state == State.RUNNING or not seen.parts:
        raise LeaseLost
    return seen


def _ask(connection: Connection, job: JobRow, parts: Sequence[NewPart]) -> None:
    """Raises PartConflict."""
    asked = {part.name: part for part in fetch_all(connection, PartRow, _PARTS_OF, {"of_job": job.id})}
    for part in parts:
        if part.name in asked and asked[part.name].digest != part.digest:
            raise PartConflict(f"The part {part.name} was asked for before with other parameters.")
    new = [part for part in parts if part.name not in asked]
    made = _made(connection, job, new) if job.retry_of is not None else {}
    _accept(connection, job, [part for part in new if part.name not in made])
    links = [
        {
            "job_id": job.id,
            "name": part.name,
            "part_id": made.get(part.name, part.job.id),
            "stage": part.stage,
            "number": number,
            "share": part.share,
            "digest": part.digest,
        }
        for number, part in enumerate(new, len(asked))
    ]
    if links:
        connection.execute(insert(PARTS), links)
        done = sum(part.share for part in new if part.name in made)
        connection.execute(_ASKED_FOR, {"of_job": job.id, "count": len(links), "share": done})
    for part_id in made.values():
        read_results(connection, job.id, part_id)
    for queue in sorted({part.job.queue for part in new}):
        admit(connection, job.owner_id, queue)


def _made(connection: Connection, job: JobRow, parts: Sequence[NewPart]) -> Mapping[str, str]:
    """name -> id of each of these parts that an earlier try of the job has made."""
    tries: list[str] = []
    before = job.retry_of
    while before is not None and len(tries) < _TRIES:
        tries.append(before)
        before = connection.execute(_RETRY_OF, {"of_job": before}).scalar()
    rows = connection.execute(_MADE, {"tries": tries})
    found = {(row.name, row.digest): row.part_id for row in rows}
    return {part.name: found[part.name, part.digest] for part in parts if (part.name, part.digest) in found}


def _accept(connection: Connection, job: JobRow, parts: Sequence[NewPart]) -> None:
    """Behind the line, from where they move up as far as there is room."""
    if not parts:
        return
    rows = [
        row_of(part.job)
        | {
            "hold": Hold.BEHIND.value,
            "place": job.place + number * _STEP,
            "notify": part.job.webhook is not None,
            "part_of": job.id,
        }
        for number, part in enumerate(parts)
    ]
    connection.execute(insert(JOBS), rows)
    first = {"version": 1, "state": State.QUEUED.value, "attempt": 0, "reason": None}
    connection.execute(NOTE, [{"job_id": part.job.id} | first for part in parts])
    reads(connection, [part.job for part in parts])
