"""The claim: one statement that takes the best job for a worker, and those that can run together with it.

    front    the first LOOK_AHEAD jobs in line that this worker can run; only read
    leader   the first of them; or, while that one was first passed over not long ago, the first whose model
             the worker has loaded. Locked, and skipped when another claim has it
    mates    further ones with the leader's `batch`, of any owner, in the order of the line

All on the partial indexes of `jobs.models.Job`, which hold what is in line and nothing else.
"""

from __future__ import annotations

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    FromClause,
    String,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    union_all,
    update,
)

from jobs.clock import now, seconds_since
from jobs.models import Job
from jobs.rows import ClaimedRow, JobRow
from jobs.states import State
from jobs.store.events import Noted
from jobs.store.line.admitting import LINE_SHORT, admit
from jobs.store.line.turns import CLOCK, advance_clock, clock_after
from jobs.store.outbox import announce
from jobs.store.statements import LEFT_OVER, needs
from jobs.store.values import Claim

#: How far into the line a worker looks for a job whose model it has loaded.
LOOK_AHEAD = 32
#: How long later jobs may go before the first one because of that.
AFFINITY_SECONDS = 20.0
#: When everything in the look-ahead is being taken by others, one more look as far as this.
LOOK_FAR = 2000

_JOBS = Job.__table__


def _can_be_taken(jobs: FromClause) -> ColumnElement[bool]:
    known = jobs.c.engine.in_(bindparam("known", expanding=True))
    met = jobs.c.needs.in_(bindparam("met", expanding=True))
    return and_(
        jobs.c.state == literal_column("'queued'"),
        jobs.c.hold.is_(None),
        jobs.c.queue == bindparam("from_queue"),
        jobs.c.run_after <= now(),
        # In a CASE, of which PostgreSQL has no statistics. Where most rows are of other engines, it thought a
        # plan for these very names cheaper than the prepared one, and planned at every claim: 1.2 ms.
        case((and_(known, met), true())),
        # An attempt that began in time keeps the promise; what ended it is no reason to fail the job.
        or_(jobs.c.start_by.is_(None), jobs.c.attempt > 0, jobs.c.start_by > now()),
    )


def _statement(look: int) -> Noted[ClaimedRow]:
    read = _JOBS.alias("read")
    front = (
        select(read.c.id, read.c.turn, read.c.model, read.c.passed_at)
        .where(_can_be_taken(read))
        .order_by(read.c.turn, read.c.id)
        # A literal: with a bound value PostgreSQL expects a tenth of the line, and plans anew at every claim.
        .limit(literal_column(str(look)))
        .cte("front")
    )
    head = select(front.c.id, front.c.passed_at).order_by(front.c.turn, front.c.id).limit(1).cte("head")
    head_passed_at = select(head.c.passed_at).scalar_subquery()
    loaded = front.c.model.in_(bindparam("loaded", expanding=True))
    patient = or_(head_passed_at.is_(None), head_passed_at > now(-AFFINITY_SECONDS))
    first = _JOBS.alias("first")
    leader = (
        select(first.c.id, first.c.batch, first.c.batch_most)
        .join(front, front.c.id == first.c.id)
        # In a CASE, so that the line's index cannot serve it and these rows are found by their ids. With the
        # statistics of an hour when nothing was in line, PostgreSQL joins with all of it: 360 ms of 50,000.
        .where(case((and_(first.c.state == literal_column("'queued'"), first.c.hold.is_(None)), true())))
        .order_by(case((and_(loaded, patient), 0), else_=1), front.c.turn, front.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=first)
        .cte("leader")  # PostgreSQL evaluates a locking CTE once; a plain IN (... LIMIT) it may repeat
    )
    other = _JOBS.alias("other")
    together = select(leader.c.batch).scalar_subquery()
    mates = (
        select(other.c.id)
        .where(
            _can_be_taken(other),
            other.c.batch.is_not(None),
            other.c.batch == together,
            other.c.id.not_in(select(leader.c.id)),
        )
        .order_by(other.c.turn)
        .limit(select(func.coalesce(func.min(leader.c.batch_most), 1) - 1).scalar_subquery())
        .with_for_update(skip_locked=True)
        .cte("mates")
    )
    size = 1 + select(func.count()).select_from(mates).scalar_subquery()
    taking = (
        update(_JOBS)
        .where(_JOBS.c.id.in_(union_all(select(leader.c.id), select(mates.c.id))))
        .values(
            state=State.RUNNING.value,
            attempt=_JOBS.c.attempt + 1,
            version=_JOBS.c.version + 1,
            lease_owner=bindparam("worker_id", type_=String),
            lease_until=now(bindparam("lease", type_=Float)),
            started_at=now(),
            queue_seconds=_JOBS.c.queue_seconds + seconds_since(_JOBS.c.run_after),
            batch_size=size,
            progress=LEFT_OVER,
            message="",
            preview_key=None,
        )
        .returning(
            _JOBS,
            CLOCK,
            LINE_SHORT,
            select(head.c.id).scalar_subquery().label("head_id"),
        )
    )
    return Noted(ClaimedRow, taking, also=lambda taken: [clock_after(taken, bindparam("from_queue"))])


CLAIM = _statement(LOOK_AHEAD)
_CLAIM_FAR = _statement(LOOK_FAR)
_passed = _JOBS.alias("passed")
_PASS_OVER = (
    update(_JOBS)
    .where(
        _JOBS.c.id.in_(
            select(_passed.c.id)
            .where(
                _can_be_taken(_passed),
                _passed.c.passed_at.is_(None),
                # One range of the line's index; with an OR it would be read to its end.
                tuple_(_passed.c.turn, _passed.c.id) < tuple_(bindparam("its_turn"), bindparam("of_job")),
            )
            .order_by(_passed.c.turn, _passed.c.id)
            .limit(literal_column(str(LOOK_AHEAD)))
            .with_for_update(skip_locked=True)
        )
    )
    .values(passed_at=now())
)


def claim(connection: Connection, wanted: Claim) -> list[JobRow]:
    """Take the next job and those that run together with it; the first row is the one that was next."""
    values = {
        "from_queue": wanted.queue,
        "known": list(wanted.engines),
        "met": sorted({needs(()), *map(needs, wanted.meets)}),
        "loaded": list(wanted.models),
        "worker_id": wanted.worker_id,
        "lease": wanted.lease_seconds,
    }
    rows = CLAIM.run(connection, values)
    if not rows and connection.dialect.name == "postgresql":
        rows = _CLAIM_FAR.run(connection, values)
    rows.sort(key=lambda row: (row.turn, row.id))
    for row in rows:
        if row.notify:
            announce(connection, row)
    if rows:
        first = rows[0]
        if wanted.models and first.head_id not in {row.id for row in rows}:
            # All of them at once: one after the other, each would wait AFFINITY_SECONDS more.
            connection.execute(_PASS_OVER, values | {"of_job": first.id, "its_turn": first.turn})
        advance_clock(connection, first)
        for owner_id in sorted({row.owner_id for row in rows if row.line_short}):
            admit(connection, owner_id, wanted.queue, only_line=True, only_if_free=True)
    return [*rows]
