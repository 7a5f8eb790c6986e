"""What jobs used: a day's sums of an owner, and what an engine's last jobs took."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, case, func, literal, or_, select

from jobs.models import PastUsage
from jobs.rows import JobRow, UsageRow
from jobs.sql import fetch_all, insert_or
from jobs.store.base import StoreBase
from jobs.store.statements import JOBS, SUCCEEDED

#: How fast an engine is, is told from this many of its last jobs.
LATELY = 100


class Ran(NamedTuple):
    """What one job took."""

    #: "cpu", "cuda: NVIDIA H200"; None where nobody said.
    device: str | None
    cost: float
    #: Seconds of all its attempts.
    run_seconds: float
    #: The same, divided among those that ran together.
    device_seconds: float


def _day(at: ColumnElement[datetime], *, is_sqlite: bool) -> ColumnElement[str]:
    """`2026-11-21`, in UTC."""
    if is_sqlite:
        return func.strftime("%Y-%m-%d", at)
    return func.to_char(func.timezone("UTC", at), "YYYY-MM-DD")


#: "gpu" or "cpu": `Job.device` is "cpu" or "cuda: ...".
_KIND = case((or_(JOBS.c.device.is_(None), JOBS.c.device.like("cpu%")), "cpu"), else_="gpu")


class Usage(StoreBase):
    """What jobs used."""

    def usage(self, owner_id: str | None, first: date, last: date) -> list[UsageRow]:
        """Sums per owner, day (UTC, of the job's end), engine, device kind and state; oldest day first.

        Jobs whose rows were deleted are still in the sums. A job that never ran has no seconds.
        """
        day = _day(JOBS.c.finished_at, is_sqlite=self.database.is_sqlite).label("day")
        keys = [JOBS.c.owner_id, day, JOBS.c.engine, _KIND.label("device"), JOBS.c.state]
        live = (
            select(
                *keys,
                func.count().label("jobs"),
                func.sum(JOBS.c.queue_seconds).label("queue_seconds"),
                func.sum(JOBS.c.run_seconds).label("run_seconds"),
                func.sum(JOBS.c.device_seconds).label("device_seconds"),
            )
            .where(JOBS.c.finished_at.is_not(None), day.between(first.isoformat(), last.isoformat()))
            .group_by(*keys)
        )
        past = select(
            PastUsage.owner_id,
            PastUsage.day,
            PastUsage.engine,
            PastUsage.device,
            PastUsage.state,
            PastUsage.jobs,
            PastUsage.queue_seconds,
            PastUsage.run_seconds,
            PastUsage.device_seconds,
        ).where(PastUsage.day.between(first.isoformat(), last.isoformat()))
        if owner_id is not None:
            live = live.where(JOBS.c.owner_id == owner_id)
            past = past.where(PastUsage.owner_id == owner_id)
        both = live.union_all(past).subquery()
        names = ("owner_id", "day", "engine", "device", "state")
        sums = ("jobs", "queue_seconds", "run_seconds", "device_seconds")
        query = (
            select(*(both.c[name] for name in names), *(func.sum(both.c[name]).label(name) for name in sums))
            .group_by(*(both.c[name] for name in names))
            .order_by(both.c.day, both.c.owner_id, both.c.engine, both.c.device, both.c.state)
        )
        return self.database.read(lambda c: fetch_all(c, UsageRow, query))

    def ran(self, engine: str) -> list[Ran]:
        """What the last LATELY jobs of this engine took that succeeded."""
        query = (
            select(JOBS.c.device, JOBS.c.cost, JOBS.c.run_seconds, JOBS.c.device_seconds)
            .where(SUCCEEDED, JOBS.c.engine == engine)
            .order_by(JOBS.c.finished_at.desc())
            .limit(LATELY)
        )
        return self.database.read(lambda c: [Ran(*row) for row in c.execute(query)])


def keep_account(connection: Connection, row: JobRow) -> None:
    """Before a finished job's row is deleted: what it used stays in its owner's sums."""
    if row.finished_at is None:
        return
    used = {
        "jobs": 1,
        "queue_seconds": row.queue_seconds,
        "run_seconds": row.run_seconds,
        "device_seconds": row.device_seconds,
    }
    kind = "cpu" if row.device is None or row.device.startswith("cpu") else "gpu"
    adding = insert_or(connection, PastUsage).values(
        owner_id=row.owner_id,
        day=row.finished_at.date().isoformat(),
        engine=row.engine,
        device=kind,
        state=row.state,
        **used,
    )
    table = PastUsage.__table__
    connection.execute(
        adding.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={name: table.c[name] + literal(value) for name, value in used.items()},
        )
    )
