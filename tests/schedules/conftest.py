"""A store with one owner."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from jobs.models import Schedule
from schedules.store import ScheduleStore, Wanted
from tests.jobs.conftest import owner

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
DAILY = Wanted("Every noon", "0 12 * * *", "UTC", "skip", "echo", {"text": "hi"}, {})


class Bench:
    """One owner's schedules."""

    def __init__(self, database) -> None:
        self.database = database
        self.store = ScheduleStore(database)
        self.owner_id = owner(database)

    def create(self, next_at=NOON, owner_id=None, **values):
        return self.store.create(owner_id or self.owner_id, replace(DAILY, **values), next_at)

    def due(self, row, seconds_ago=1.0):
        """Its row, once it has been due for so long."""
        at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=seconds_ago)
        setting = update(Schedule).where(Schedule.id == row.id).values(next_at=at)
        self.database.write(lambda c: c.execute(setting))
        return next(one for one in self.store.due() if one.id == row.id)


@pytest.fixture
def bench(database) -> Bench:
    return Bench(database)
