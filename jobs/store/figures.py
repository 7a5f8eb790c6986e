"""Counts over all jobs, for the metrics."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from jobs.models import Job
from jobs.store.base import StoreBase
from jobs.store.statements import QUEUED


class Figures(StoreBase):
    """Counts over all jobs, for the metrics."""

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
        query = select(Job.queue, func.min(Job.created_at)).where(QUEUED).group_by(Job.queue)
        return dict(self.database.read(lambda c: [(row[0], row[1]) for row in c.execute(query)]))
