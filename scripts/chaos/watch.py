"""A look at the database while it all goes on. It changes nothing, and an outage only makes it blind."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from jobs.database import Database
from jobs.errors import Unavailable

_HELD = text("SELECT id, attempt FROM jobs WHERE state = 'running' AND lease_owner = :worker_id")
_WORK = text(
    "SELECT coalesce(max((params->>'seconds')::float), 0) FROM jobs "
    "WHERE state = 'running' AND lease_owner = :worker_id"
)
_ELSEWHERE = text("SELECT 1 FROM jobs WHERE id = :job_id AND (attempt > :attempt OR finished_at IS NOT NULL)")
_UNFINISHED = text("SELECT count(*) FROM jobs WHERE finished_at IS NULL")
_UNSENT = text("SELECT count(*) FROM deliveries WHERE state = 'pending'")
_CLEANUPS = text("SELECT count(*) FROM cleanups")
#: What is waited for is not to be waited for: the grace is for workers that still write, and none does.
_NOW = text("UPDATE cleanups SET due_at = clock_timestamp() WHERE prefix LIKE 'jobs/%'")


class Watch:
    """Small questions to one PostgreSQL database."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, pool_size=4)

    def held_by(self, worker_id: str | None) -> set[tuple[str, int]]:
        """(job, attempt) that this worker runs; nothing when the database is away."""
        if worker_id is None:
            return set()
        return {(row.id, row.attempt) for row in self._ask(_HELD, worker_id=worker_id)}

    def work_of(self, worker_id: str | None) -> float:
        """How long the longest job takes that this worker runs; 0 when it rests or the database is away."""
        found = self._ask(_WORK, worker_id=worker_id) if worker_id else []
        return float(found[0][0]) if found else 0.0

    def runs_elsewhere(self, job_id: str, attempt: int) -> bool:
        """Whether a later attempt has begun, or the job has ended."""
        return bool(self._ask(_ELSEWHERE, job_id=job_id, attempt=attempt))

    def left(self) -> dict[str, int] | None:
        """How many jobs have not ended and how many webhooks are not sent; None: the database is away."""
        unfinished, unsent = self._ask(_UNFINISHED), self._ask(_UNSENT)
        if not unfinished or not unsent:
            return None
        return {"jobs": unfinished[0][0], "webhooks": unsent[0][0]}

    def cleanups(self) -> int:
        """Folders that are still to be looked through."""
        return int(self._ask(_CLEANUPS)[0][0])

    def end_grace(self) -> None:
        """Let the clean-up of jobs' folders begin now: all that the harness ever changes in the database."""
        self._database.write(lambda connection: connection.execute(_NOW))

    def close(self) -> None:
        """Hang up."""
        self._database.close()

    def _ask(self, question: Any, **values: object) -> list[Any]:
        try:
            return self._database.read(lambda connection: list(connection.execute(question, values)))
        except Unavailable:
            return []
