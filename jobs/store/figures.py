"""Counts over all jobs, for the metrics; the front of a line, for forecasts.

What a fleet is steered by is read from the partial indexes of what waits and runs, and costs as much as the
line is long. What is kept costs one pass over the table: nothing is steered by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import case, func, select

from jobs.clock import now, seconds_since
from jobs.models import Job
from jobs.store.base import StoreBase
from jobs.store.statements import IN_LINE, JOBS, QUEUED, RUNNING


@dataclass(frozen=True)
class InLine:
    """The jobs in line that the same workers can take."""

    engine: str
    queue: str
    #: Weights files, as in `Job.needs`.
    needs: str
    #: False: those whose pause before the next attempt is not over.
    due: bool
    jobs: int
    #: The sum of `Job.cost`.
    cost: float
    #: Seconds that the first of them has been waiting.
    oldest: float


@dataclass(frozen=True)
class Kept:
    """The jobs of one engine, queue and state that there are rows of."""

    engine: str
    queue: str
    state: str
    jobs: int
    attempts: int
    #: Attempts that ended in a transient error or a lost worker.
    failures: int
    #: Jobs that ran, and the seconds they did, all attempts together.
    ran: int
    run_seconds: float


class UnderWay(NamedTuple):
    """A running job, as far as it tells when its worker is free."""

    worker: str
    engine: str
    cost: float
    progress: float
    #: Seconds since the attempt began.
    ran: float


class Figures(StoreBase):
    """Counts over all jobs, for the metrics."""

    def in_line(self) -> list[InLine]:
        """What waits in line, put together by what it takes to run it."""
        due = case((JOBS.c.run_after <= now(), True), else_=False).label("due")
        columns = [JOBS.c[name] for name in ("engine", "queue", "needs", "cost", "run_after")]
        line = select(*columns, due).where(IN_LINE).subquery().c
        query = select(
            line.engine,
            line.queue,
            line.needs,
            line.due,
            func.count(),
            func.sum(line.cost),
            seconds_since(func.min(line.run_after)),
        ).group_by(line.engine, line.queue, line.needs, line.due)
        return self.database.read(lambda c: [InLine(*row) for row in c.execute(query)])

    def not_in_line(self) -> dict[tuple[str, str], int]:
        """(queue, a `jobs.states.Hold`) -> how many wait that are not in line."""
        query = (
            select(JOBS.c.queue, JOBS.c.hold, func.count())
            .where(QUEUED, JOBS.c.hold.is_not(None))
            .group_by(JOBS.c.queue, JOBS.c.hold)
        )
        return self.database.read(lambda c: {(row[0], row[1]): row[2] for row in c.execute(query)})

    def running(self) -> list[tuple[str, str, int]]:
        """(engine, queue, how many run now)."""
        query = select(Job.engine, Job.queue, func.count()).where(RUNNING).group_by(Job.engine, Job.queue)
        return self.database.read(lambda c: [(row[0], row[1], row[2]) for row in c.execute(query)])

    def front(self, queue: str, most: int) -> list[tuple[str, float]]:
        """(engine, cost) of the first jobs in line, in their order: read from the front of the index."""
        query = (
            select(JOBS.c.engine, JOBS.c.cost)
            .where(JOBS.c.queue == queue, IN_LINE)
            .order_by(JOBS.c.turn, JOBS.c.id)
            .limit(most)
        )
        return self.database.read(lambda c: [(row[0], row[1]) for row in c.execute(query)])

    def under_way(self, queue: str, most: int) -> list[UnderWay]:
        """Jobs of a queue that run now."""
        jobs, ran = JOBS.c, seconds_since(JOBS.c.started_at)
        query = select(jobs.lease_owner, jobs.engine, jobs.cost, jobs.progress, ran)
        query = query.where(RUNNING, jobs.queue == queue).limit(most)
        return self.database.read(lambda c: [UnderWay(*row) for row in c.execute(query)])

    def kept(self) -> list[Kept]:
        """All rows, by engine, queue and state: one pass over the table."""
        query = select(
            Job.engine,
            Job.queue,
            Job.state,
            func.count(),
            func.sum(Job.attempt),
            func.sum(Job.failures),
            func.count(Job.started_at),
            func.sum(Job.run_seconds),
        ).group_by(Job.engine, Job.queue, Job.state)
        return self.database.read(lambda c: [Kept(*row) for row in c.execute(query)])
