"""What those who watch jobs ask: many jobs in few statements, however many watch them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from sqlalchemy import Executable, bindparam, select

from jobs.models import Job, JobEvent
from jobs.rows import EventRow, FactsRow, VersionRow
from jobs.sql import R, fetch_all
from jobs.store.base import StoreBase

#: Ids in one statement: SQLite and PostgreSQL bound the number of values, and text is built for each.
CHUNK = 250

_THESE = Job.id.in_(bindparam("ids", expanding=True))
_VERSIONS = select(Job.id, Job.version).where(_THESE)
#: Without the params, which may be large and never change.
_FACTS = select(
    Job.id,
    Job.version,
    Job.state,
    Job.attempt,
    Job.progress,
    Job.message,
    Job.preview_key,
    Job.error_code,
    Job.finished_at,
    Job.parts,
).where(_THESE)
_EVENTS = (
    select(JobEvent.__table__)
    .where(JobEvent.job_id.in_(bindparam("ids", expanding=True)))
    .order_by(JobEvent.job_id, JobEvent.version)
)


@dataclass(frozen=True)
class Facts:
    """A job as its watchers see it, and the changes of state that led there, oldest first."""

    row: FactsRow
    events: Sequence[EventRow]


class FollowerSide(StoreBase):
    """What those who watch jobs ask."""

    def versions(self, job_ids: Iterable[str]) -> dict[str, int]:
        """The version of each of these jobs that is still there."""
        return {row.id: row.version for row in self._of_each(VersionRow, _VERSIONS, job_ids)}

    def facts(self, job_ids: Iterable[str]) -> dict[str, Facts]:
        """Each of these jobs that is still there."""
        rows = {row.id: row for row in self._of_each(FactsRow, _FACTS, job_ids)}
        events: dict[str, list[EventRow]] = {job_id: [] for job_id in rows}
        for event in self._of_each(EventRow, _EVENTS, rows):
            # Read after its row, so none is missing; a later one is told with the row it belongs to.
            if event.version <= rows[event.job_id].version:
                events[event.job_id].append(event)
        return {job_id: Facts(row, events[job_id]) for job_id, row in rows.items()}

    def _of_each(self, kind: type[R], query: Executable, job_ids: Iterable[str]) -> Iterator[R]:
        ids = iter(job_ids)
        while chunk := list(islice(ids, CHUNK)):
            yield from self.database.read(
                partial(fetch_all, _kind=kind, statement=query, values={"ids": chunk})
            )
