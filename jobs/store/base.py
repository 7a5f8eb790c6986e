"""What every side of the store shares: the database, and who is told that there is work."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jobs.database import Database
from jobs.rows import JobRow


def _nobody(_queue: str) -> None:
    """Whoever waits is found by the sweeper."""


class StoreBase:
    """Holds the database; one method of a subclass is one transaction."""

    def __init__(self, database: Database, *, ring: Callable[[str], None] = _nobody) -> None:
        """`ring` is called, after the commit, with the queue of a job that another's end let into line."""
        self.database = database
        self._ring = ring

    def ring_for(self, rows: Iterable[JobRow]) -> None:
        """These jobs stand in line again, which no client has rung for."""
        for row in rows:
            self._ring(row.queue)
