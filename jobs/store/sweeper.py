"""What the sweeper does to jobs nobody looks after."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, case, false, func, or_, select, update

from jobs import policy
from jobs.clock import now
from jobs.models import Job
from jobs.states import FINAL, State
from jobs.store.base import StoreBase
from jobs.store.line import MORE_BEHIND, admit, left, move_up
from jobs.store.rows import JobRow
from jobs.store.statements import (
    BEHIND,
    IN_LINE,
    JOBS,
    MAX_FAILURES,
    QUEUED,
    RUNNING,
    record,
    spent,
    tidy,
)


class SweeperSide(StoreBase):
    """What the sweeper does to jobs nobody looks after."""

    def expire_leases(
        self, *, worker_id: str | None = None, charge: bool = True, limit: int = 100
    ) -> list[JobRow]:
        """Take back jobs whose lease ran out (or, with `worker_id`, all that this dead worker held).

        `charge=False`: the worker was ended on purpose, which is no failure of the job's.

        Each becomes canceled if that was asked for, failed when a second, different worker died in it
        (`poison_job`) or when its attempts are used up (`worker_lost`), and queued otherwise. Returns the
        rows as they are now.
        """
        mine = Job.lease_until < now() if worker_id is None else Job.lease_owner == worker_id
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
            .returning(JOBS, MORE_BEHIND)
        )

        def work(connection: Connection) -> list[JobRow]:
            rows = list(connection.execute(taking, {"default_cap": policy.max_running()}))
            for row in rows:
                record(connection, row, row.error_code or "lease_lost")
                if row.state in FINAL:
                    tidy(connection, row)
            move_up(connection, [row for row in rows if row.state in FINAL])
            return rows

        return self.database.write(work)

    def end_late(self, *, limit: int = 100) -> list[JobRow]:
        """End jobs whose `start_by` passed while they waited for their first attempt."""
        late = (
            select(Job.id)
            .where(QUEUED, Job.attempt == 0, Job.start_by.is_not(None), Job.start_by < now())
            .order_by(Job.start_by)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("late")
        )
        return self._fail_waiting(
            JOBS.c.id.in_(select(late.c.id)), "start_by_passed", "It had not started by the time it was to."
        )

    def fail_orphans(self, engines: Sequence[str], *, after_seconds: float) -> list[JobRow]:
        """End jobs that have waited long for an engine that is none of these: it was removed."""
        return self._fail_waiting(
            and_(JOBS.c.engine.not_in(engines), JOBS.c.created_at < now(-after_seconds)),
            "engine_gone",
            "No worker has this engine any more.",
        )

    def _fail_waiting(self, which: ColumnElement[bool], code: str, detail: str) -> list[JobRow]:
        failing = (
            update(JOBS)
            .where(QUEUED, which)
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
            rows = list(connection.execute(failing))
            for row in rows:
                record(connection, row, code)
                tidy(connection, row)
            left(connection, rows)
            return rows

        return self.database.write(work)

    def due_by_queue(self) -> dict[str, int]:
        """How many jobs are in line in each queue and may be claimed now."""
        query = select(Job.queue, func.count()).where(IN_LINE, Job.run_after <= now()).group_by(Job.queue)
        return dict(self.database.read(lambda c: [(row[0], row[1]) for row in c.execute(query)]))

    def top_up(self, *, after: str = "", limit: int = 100) -> str | None:
        """Let jobs move up for some owners who have any behind the line: the next ones `after` an owner id.

        A job that ends lets the next one move up; this is for what no job's end tells of: a cap that was
        raised, a transaction that passed over rows which another one held. Returns the last owner's id, or
        None when there were no more.
        """
        step = select(func.min(JOBS.c.owner_id)).where(BEHIND)
        owners = select(step.where(JOBS.c.owner_id > after).scalar_subquery().label("id")).cte(recursive=True)
        owners = owners.union_all(
            select(step.where(JOBS.c.owner_id > owners.c.id).scalar_subquery()).where(
                owners.c.id.is_not(None)
            )
        )
        wanted = select(owners.c.id).where(owners.c.id.is_not(None)).limit(limit)
        found = self.database.read(lambda c: list(c.execute(wanted).scalars()))
        for owner_id in found:
            self.database.write(lambda c, owner_id=owner_id: self._top_up(c, owner_id))  # type: ignore[misc]
        return found[-1] if len(found) == limit else None

    def _top_up(self, connection: Connection, owner_id: str) -> None:
        queues = select(JOBS.c.queue).where(BEHIND, JOBS.c.owner_id == owner_id).distinct()
        for queue in sorted(connection.execute(queues).scalars()):
            admit(connection, owner_id, queue)
