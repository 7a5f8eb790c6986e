"""What the sweeper does to jobs nobody looks after."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, case, func, select, update

from jobs.clock import now
from jobs.models import Job
from jobs.states import FINAL, State
from jobs.store.base import StoreBase
from jobs.store.rows import JobRow
from jobs.store.statements import JOBS, MAX_FAILURES, QUEUED, RUNNING, record, tidy


class SweeperSide(StoreBase):
    """What the sweeper does to jobs nobody looks after."""

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
            .where(RUNNING, mine)
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
            .where(Job.id.in_(select(lost.c.id)), RUNNING)
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
            .returning(JOBS)
        )

        def work(connection: Connection) -> list[JobRow]:
            rows = list(connection.execute(taking))
            for row in rows:
                record(connection, row, "lease_lost" if row.state != State.FAILED else "worker_lost")
                if row.state in FINAL:
                    tidy(connection, row)
            return rows

        return self.database.write(work)

    def fail_orphans(self, engines: Sequence[str], *, after_seconds: float) -> list[JobRow]:
        """End jobs that have waited long for an engine that is none of these: it was removed."""
        failing = (
            update(JOBS)
            .where(QUEUED, JOBS.c.engine.not_in(engines), JOBS.c.created_at < now(-after_seconds))
            .values(
                state=State.FAILED.value,
                finished_at=now(),
                version=JOBS.c.version + 1,
                error_code="engine_gone",
                error_detail="No worker has this engine any more.",
            )
            .returning(JOBS)
        )

        def work(connection: Connection) -> list[JobRow]:
            rows = list(connection.execute(failing))
            for row in rows:
                record(connection, row, "engine_gone")
                tidy(connection, row)
            return rows

        return self.database.write(work)

    def due_by_queue(self) -> dict[str, int]:
        """How many jobs wait in each queue and may be claimed now."""
        query = select(Job.queue, func.count()).where(QUEUED, Job.run_after <= now()).group_by(Job.queue)
        return dict(self.database.read(lambda c: [(row[0], row[1]) for row in c.execute(query)]))
