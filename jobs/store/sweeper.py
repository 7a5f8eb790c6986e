"""What the sweeper does to jobs nobody looks after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, case, false, func, or_, select, update

from jobs import policy
from jobs.clock import now
from jobs.models import Job, Worker
from jobs.rows import EndedRow, JobRow
from jobs.states import State
from jobs.store.base import StoreBase
from jobs.store.ending import ended
from jobs.store.events import note
from jobs.store.line.admitting import CAPPED, lock_owner, refit
from jobs.store.line.fit import who_does_not_fit
from jobs.store.statements import (
    IN_LINE,
    JOBS,
    LEFT_OVER,
    MAX_FAILURES,
    QUEUED,
    RUNNING,
    spent,
)

#: Rings and warnings need no larger number, and the sweeper asks every two seconds.
MOST_DUE = 1000

# From one queue to the next by leaps through the line's index, not through all that wait in each.
_step = select(func.min(JOBS.c.queue)).where(IN_LINE)
_waiting = select(_step.scalar_subquery().label("queue")).cte("waiting", recursive=True)
_waiting = _waiting.union_all(
    select(_step.where(JOBS.c.queue > _waiting.c.queue).scalar_subquery()).where(
        _waiting.c.queue.is_not(None)
    )
)
_QUEUES = select(_waiting.c.queue).where(_waiting.c.queue.is_not(None))
_some = (
    select(JOBS.c.id)
    .where(IN_LINE, JOBS.c.queue == bindparam("of_queue"), JOBS.c.run_after <= now())
    .limit(bindparam("most"))
    .subquery()
)
_DUE = select(func.count()).select_from(_some)
_LOST_DEVICE = select(Worker.device).where(Worker.id == JOBS.c.lease_owner).scalar_subquery()


class SweeperSide(StoreBase):
    """What the sweeper does to jobs nobody looks after."""

    def expire_leases(
        self,
        *,
        worker_id: str | None = None,
        claimed_before: float | None = None,
        charge: bool = True,
        limit: int = 100,
    ) -> list[JobRow]:
        """Take back jobs whose lease ran out (or, with `worker_id`, all that this dead worker held).

        `claimed_before`: only those that were claimed at least so many seconds ago. Later ones are of the
        successor of that dead process, which goes by the same name. `charge=False`: the worker was ended on
        purpose, which is no failure of the job's.

        Each becomes canceled if that was asked for, failed when a second, different worker died in it
        (`poison_job`) or when its attempts are used up (`worker_lost`), and queued otherwise. Returns the
        rows as they are now.
        """
        mine = Job.lease_until < now()
        if worker_id is not None:
            mine = Job.lease_owner == worker_id
        if claimed_before is not None:
            mine = and_(mine, Job.started_at <= now(-claimed_before))
        lost = (
            select(Job.id)
            .where(RUNNING, mine)
            .order_by(Job.lease_until)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("lost")
        )
        asked = JOBS.c.cancel_requested
        poison = and_(JOBS.c.died_on.is_not(None), JOBS.c.died_on != JOBS.c.lease_owner)
        last = JOBS.c.failures + 1 >= MAX_FAILURES
        if not charge:
            poison = last = false()
        ends = or_(asked, poison, last)
        charged = {
            "failures": JOBS.c.failures + 1,
            "died_on": func.coalesce(JOBS.c.died_on, JOBS.c.lease_owner),
            # Whatever killed the worker, it runs alone from now on: any of those that ran together may do so.
            "batch": None,
        }
        taking = (
            update(JOBS)
            .where(JOBS.c.id.in_(select(lost.c.id)), RUNNING)
            .values(
                state=case(
                    (asked, State.CANCELED.value),
                    (or_(poison, last), State.FAILED.value),
                    else_=State.QUEUED.value,
                ),
                version=JOBS.c.version + 1,
                lease_owner=None,
                lease_until=None,
                message="",
                progress=case((ends, JOBS.c.progress), else_=LEFT_OVER),
                # Nobody is left to say what it ran on but the worker's own report.
                device=func.coalesce(_LOST_DEVICE, JOBS.c.device),
                run_after=now(),
                finished_at=case((ends, now()), else_=None),
                turn=case((ends, None), else_=JOBS.c.turn),
                error_code=case((asked, None), (poison, "poison_job"), (last, "worker_lost"), else_=None),
                error_detail=case(
                    (asked, None),
                    (poison, "Two different workers died while they ran it."),
                    (last, f"Its worker died or lost contact {MAX_FAILURES} times."),
                    else_=None,
                ),
                **spent(),
                **(charged if charge else {}),
            )
            .returning(JOBS, CAPPED)
        )

        def work(connection: Connection) -> list[JobRow]:
            rows: list[EndedRow] = list(connection.execute(taking, {"default_cap": policy.max_running()}))
            for row in rows:
                note(connection, [row], row.error_code or "lease_lost")
            ended(connection, rows)
            return [*rows]

        return self.database.write(work)

    def end_late(self, *, limit: int = 100) -> list[JobRow]:
        """End jobs whose `start_by` passed while they waited for their first attempt."""
        which = and_(JOBS.c.attempt == 0, JOBS.c.start_by.is_not(None), JOBS.c.start_by < now())
        detail = "It had not started by the time it was to."
        finding = select(JOBS.c.id, JOBS.c.owner_id).where(QUEUED, which)
        finding = finding.order_by(JOBS.c.start_by).limit(limit)
        return self._fail_waiting(finding, "start_by_passed", detail)

    def fail_orphans(self, engines: Sequence[str], *, after_seconds: float, limit: int = 100) -> list[JobRow]:
        """End jobs that have waited long for an engine that is none of these: it was removed."""
        which = and_(JOBS.c.engine.not_in(engines), JOBS.c.created_at < now(-after_seconds))
        finding = select(JOBS.c.id, JOBS.c.owner_id).where(QUEUED, which).limit(limit)
        return self._fail_waiting(finding, "engine_gone", "No worker has this engine any more.")

    def _fail_waiting(self, finding: Select[Any], code: str, detail: str) -> list[JobRow]:
        those = JOBS.c.id.in_(bindparam("found", expanding=True))
        locking = select(JOBS.c.id, JOBS.c.turn).where(QUEUED, those).with_for_update(skip_locked=True)
        failing = (
            update(JOBS)
            .where(those)
            .values(
                state=State.FAILED.value,
                finished_at=now(),
                turn=None,
                hold=None,
                version=JOBS.c.version + 1,
                error_code=code,
                error_detail=detail,
            )
            .returning(JOBS)
        )

        def work(connection: Connection) -> list[JobRow]:
            found = connection.execute(finding).all()
            for owner_id in sorted({row.owner_id for row in found}):
                lock_owner(connection, owner_id)  # before the jobs, as everybody does who takes one out
            locked = connection.execute(locking, {"found": [row.id for row in found]})
            turns = {row.id: row.turn for row in locked}
            rows: list[JobRow] = list(connection.execute(failing, {"found": list(turns)})) if turns else []
            note(connection, rows, code)
            ended(connection, rows, turns=turns)
            return rows

        return self.database.write(work)

    def due_by_queue(self, most: int = MOST_DUE) -> dict[str, int]:
        """How many jobs are in line in each queue and may be claimed now, counted up to `most` of each."""

        def work(connection: Connection) -> dict[str, int]:
            queues = list(connection.execute(_QUEUES).scalars())
            return {
                queue: due
                for queue in queues
                if (due := connection.execute(_DUE, {"of_queue": queue, "most": most}).scalar_one())
            }

        return self.database.read(work)

    def top_up(self, *, after: str = "", limit: int = 100) -> str | None:
        """Let jobs move up for some owners who have any behind the line: the next ones `after` an owner id.

        A job that ends lets the next one move up; this is for what no job's end tells of: a cap that was
        raised, a transaction that passed over rows which another one held. Returns the last owner's id, or
        None when there were no more.
        """
        seen, unfit = self.database.read(lambda c: who_does_not_fit(c, after, limit))
        for owner_id in unfit:
            self.database.write(lambda c, owner_id=owner_id: refit(c, owner_id))  # type: ignore[misc]
        return seen[-1] if len(seen) == limit else None
