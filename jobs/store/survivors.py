"""What a worker says that was taken for dead and is not."""

from __future__ import annotations

from sqlalchemy import case, update

from jobs.store.base import StoreBase
from jobs.store.statements import JOBS, QUEUED, RUNNING


class Survivors(StoreBase):
    """What a worker says that was taken for dead and is not."""

    def survived(self, job_id: str, worker_id: str) -> None:
        """This worker lost the job's lease and lives: it was cut off, which is no failure of the job's.

        Takes back the mark and the failure that the lost lease left, unless the job has ended meanwhile.
        """
        failures = case((JOBS.c.failures > 0, JOBS.c.failures - 1), else_=0)
        taking_back = (
            update(JOBS)
            .where(JOBS.c.id == job_id, JOBS.c.died_on == worker_id, QUEUED | RUNNING)
            .values(died_on=None, failures=failures)
        )
        self.database.write(lambda c: c.execute(taking_back))
