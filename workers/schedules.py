"""The chore that makes the jobs of schedules which are due.

Whoever fires one, and however often: its key makes it one job for each due time, and only the first to say
what became of that time moves the schedule on. So a sweeper may die at any line of this.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from accept import Means, make_scheduled
from accounts.store import AccountStore
from jobs.errors import AtelierError, BadSchedule, Forbidden, Unavailable
from jobs.rows import DueScheduleRow, JobRow
from schedules.keys import of_due_time
from schedules.store import ScheduleStore
from schedules.times import MOST_OFTEN_MINUTES, times

_log = structlog.get_logger(__name__)

#: Fired in one pass at most, so that no lease waits long to be taken back.
AT_ONCE = 50
#: Later than this, it was missed. No schedule has two due times within it.
LATE = timedelta(minutes=MOST_OFTEN_MINUTES)
_BROKEN = "Something went wrong in the engine's own checks; the sweeper's log has more."


class Schedules:
    """Makes what is due; the chore after it rings for it."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._store = ScheduleStore(means.jobs.database)
        self._accounts = AccountStore(means.jobs.database)

    def fire(self) -> None:
        """Fire those that are due. Raises Unavailable; what was not fired stays due."""
        for due in self._store.due(AT_ONCE):
            try:
                when = times(due.cron, due.zone)
            except BadSchedule as error:  # its zone is gone: nobody can say when it is due again
                self._refuse(due, due.next_at, None, error)
            else:
                self._fire(due, when.latest(due.next_at, due.looked_at), when.after(due.looked_at))

    def _fire(self, due: DueScheduleRow, at: datetime, following: datetime | None) -> None:
        if due.misses == "skip" and due.looked_at - at > LATE:
            _log.info("schedule_missed", schedule_id=due.id, due=at.isoformat())
            detail = f"It was due at {at:%Y-%m-%d %H:%M} UTC, when nobody was there to see to it."
            self._store.missed(due, at, detail, following)
            return
        try:
            job = self._make(due, at)
        except Unavailable:
            raise
        except AtelierError as error:
            self._refuse(due, at, following, error)
        except Exception as error:  # noqa: BLE001  # engines' own code checks params here: no end of the sweeper
            _log.error("schedule_broken", schedule_id=due.id, exc_info=error)
            self._refuse(due, at, following, AtelierError(_BROKEN, code="internal"))
        else:
            _log.info("schedule_fired", schedule_id=due.id, job_id=job.id, due=at.isoformat())
            self._store.made(due, at, job.id, following)

    def _make(self, due: DueScheduleRow, at: datetime) -> JobRow:
        if not self._accounts.has_key(due.owner_id):
            raise Forbidden("Its owner has no key any more.", code="no_key")
        job, _ = make_scheduled(self._means, due, of_due_time(due.id, at))
        return job

    def _refuse(
        self, due: DueScheduleRow, at: datetime, following: datetime | None, error: AtelierError
    ) -> None:
        _log.info("schedule_refused", schedule_id=due.id, code=error.problem_code)
        self._store.refused(due, at, error.problem_code, error.detail, following)
