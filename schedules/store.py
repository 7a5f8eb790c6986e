"""ScheduleStore: what owners want again and again, and which of it is due."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, case, delete, func, insert, literal, null, select, update
from sqlalchemy.exc import IntegrityError

from jobs.clock import now
from jobs.errors import Conflict, NotFound
from jobs.ids import new_id
from jobs.models import Schedule, ScheduleInput, User
from jobs.rows import DueScheduleRow, ScheduleRow
from jobs.sql import fetch_all, fetch_one, newest_first
from jobs.store.base import StoreBase

#: Schedules of one owner: with the shortest time between two jobs (`schedules.times`) this bounds their jobs.
MAX_SCHEDULES = 100
#: Refusals in a row after which a schedule pauses itself: its owner has changed something and forgot it.
MAX_REFUSALS = 10

#: What becomes of what was due while nobody swept: nothing, or one job for all of it.
Misses = Literal["skip", "once"]

_SCHEDULES = Schedule.__table__
_GOES_ON = Schedule.paused_at.is_(None)
#: What `DueScheduleRow` is.
DUE = select(_SCHEDULES, now().label("looked_at")).where(_GOES_ON, Schedule.next_at <= now())


@dataclass(frozen=True)
class Wanted:
    """What is to be made, and when; `accept.scheduled` and `schedules.times` have looked at it."""

    name: str
    cron: str
    zone: str
    misses: Misses
    engine: str
    params: Mapping[str, Any]
    options: Mapping[str, Any]
    #: The stored files that the params name; None: those they named before.
    inputs: Sequence[str] | None = ()

    @property
    def values(self) -> dict[str, Any]:
        """As the columns of a row."""
        names = ("name", "cron", "zone", "misses", "engine", "params", "options")
        return {name: getattr(self, name) for name in names}


class ScheduleStore(StoreBase):
    """Schedules, in one database. Where `owner_id` may be None, everybody's are meant."""

    def create(self, owner_id: str, wanted: Wanted, next_at: datetime | None) -> ScheduleRow:
        """A new schedule, due at `next_at`; None: paused. Raises Conflict and NotFound."""
        schedule_id = new_id("sch")
        values = {"id": schedule_id, "owner_id": owner_id, "next_at": next_at, **wanted.values}
        values["paused_at"] = now() if next_at is None else None

        def work(connection: Connection) -> ScheduleRow:
            # Two requests at once keep to the limit together.
            connection.execute(select(User.id).where(User.id == owner_id).with_for_update())
            mine = select(func.count()).select_from(Schedule).where(Schedule.owner_id == owner_id)
            if connection.execute(mine).scalar_one() >= MAX_SCHEDULES:
                raise Conflict(f"An owner has {MAX_SCHEDULES} schedules at most.", code="too_many_schedules")
            connection.execute(insert(Schedule).values(values))
            _read_from(connection, schedule_id, wanted.inputs or ())
            return _found(connection, schedule_id, owner_id)

        return self._reading(work)

    def get(self, schedule_id: str, owner_id: str | None = None) -> ScheduleRow:
        """One schedule. Raises NotFound."""
        return self.database.read(lambda c: _found(c, schedule_id, owner_id))

    def page(self, owner_id: str, *, before: str | None = None, limit: int = 50) -> list[ScheduleRow]:
        """An owner's, newest first; `before` is the id of the last one of the page before."""
        mine = select(_SCHEDULES).where(Schedule.owner_id == owner_id)
        query = newest_first(mine, Schedule.id, before=before, limit=limit)
        return self.database.read(lambda c: fetch_all(c, ScheduleRow, query))

    def change(
        self, schedule_id: str, owner_id: str, wanted: Wanted, next_at: datetime | None = None
    ) -> ScheduleRow:
        """Another name, another job; with `next_at` other times. A paused one stays so. Raises NotFound.

        What was refused before says nothing of it any more.
        """
        values = {"refusals": 0, "error_code": None, "error_detail": None, **wanted.values}
        if next_at is not None:
            values["next_at"] = case((_GOES_ON, literal(next_at, Schedule.next_at.type)), else_=null())
        this = update(Schedule).where(Schedule.id == schedule_id, Schedule.owner_id == owner_id)

        def work(connection: Connection) -> ScheduleRow:
            _found(connection, schedule_id, owner_id)
            connection.execute(this.values(values))
            if wanted.inputs is not None:
                connection.execute(delete(ScheduleInput).where(ScheduleInput.schedule_id == schedule_id))
                _read_from(connection, schedule_id, wanted.inputs)
            return _found(connection, schedule_id, owner_id)

        return self._reading(work)

    def pause(self, schedule_id: str, owner_id: str | None) -> ScheduleRow:
        """Let it make nothing until it is resumed. Raises NotFound."""
        return self._update(schedule_id, owner_id, _GOES_ON, paused_at=now(), next_at=None, refusals=0)

    def resume(self, schedule_id: str, owner_id: str, next_at: datetime | None) -> ScheduleRow:
        """Let a paused one go on, at `next_at`. Raises NotFound."""
        paused = Schedule.paused_at.is_not(None)
        return self._update(schedule_id, owner_id, paused, paused_at=None, next_at=next_at, refusals=0)

    def delete(self, schedule_id: str, owner_id: str | None) -> None:
        """Delete it; the jobs that it made stay. Raises NotFound."""

        def work(connection: Connection) -> None:
            _found(connection, schedule_id, owner_id)
            connection.execute(delete(Schedule).where(Schedule.id == schedule_id))

        self.database.write(work)

    def ordered(self, schedule_id: str, job_id: str) -> None:
        """Its owner had it make this job."""
        this = update(Schedule).where(Schedule.id == schedule_id)
        self.database.write(lambda c: c.execute(this.values(last_job_id=job_id)))

    # --- for the sweeper: what became of a due time. Whoever comes second changes nothing.

    def due(self, limit: int = 100) -> list[DueScheduleRow]:
        """Those that are due, the one that waits longest first."""
        query = DUE.order_by(Schedule.next_at).limit(limit)
        return self.database.read(lambda c: fetch_all(c, DueScheduleRow, query))

    def made(self, due: DueScheduleRow, at: datetime, job_id: str, next_at: datetime | None) -> None:
        """This due time made a job; None: there is no next one, and so it pauses."""
        values = {"last_job_id": job_id, "refusals": 0, "error_code": None, "error_detail": None}
        self._advance(due, at, next_at, **values)

    def missed(self, due: DueScheduleRow, at: datetime, detail: str, next_at: datetime | None) -> None:
        """It was due while nobody swept, and is left out."""
        self._advance(due, at, next_at, error_code="missed", error_detail=detail)

    def refused(
        self, due: DueScheduleRow, at: datetime, code: str, detail: str, next_at: datetime | None
    ) -> None:
        """There is no such job at this time. It goes on, but not for ever."""
        refusals = due.refusals + 1
        going_on = next_at if refusals < MAX_REFUSALS else None
        values = {"refusals": refusals, "error_code": code[:64], "error_detail": detail}
        self._advance(due, at, going_on, **values)

    def _advance(self, due: DueScheduleRow, at: datetime, next_at: datetime | None, **values: object) -> None:
        pausing = {"paused_at": now()} if next_at is None else {}
        this = update(Schedule).where(Schedule.id == due.id, Schedule.next_at == due.next_at, _GOES_ON)
        this = this.values(last_at=at, next_at=next_at, **pausing, **values)
        self.database.write(lambda c: c.execute(this))

    def _update(
        self, schedule_id: str, owner_id: str | None, where: ColumnElement[bool], **values: object
    ) -> ScheduleRow:
        """Change it where it is so, and say how it is now. Raises NotFound."""
        this = update(Schedule).where(Schedule.id == schedule_id, where).values(**values)

        def work(connection: Connection) -> ScheduleRow:
            _found(connection, schedule_id, owner_id)
            connection.execute(this)
            return _found(connection, schedule_id, owner_id)

        return self.database.write(work)

    def _reading(self, work: Callable[[Connection], ScheduleRow]) -> ScheduleRow:
        try:
            return self.database.write(work, repeatable=False)
        except IntegrityError as error:
            raise NotFound("A file of this schedule is no longer there.") from error


def _read_from(connection: Connection, schedule_id: str, file_ids: Sequence[str]) -> None:
    if file_ids:
        reading = [{"schedule_id": schedule_id, "artifact_id": i} for i in dict.fromkeys(file_ids)]
        connection.execute(insert(ScheduleInput), reading)


def _found(connection: Connection, schedule_id: str, owner_id: str | None) -> ScheduleRow:
    query = select(_SCHEDULES).where(Schedule.id == schedule_id)
    if owner_id is not None:
        query = query.where(Schedule.owner_id == owner_id)
    row = fetch_one(connection, ScheduleRow, query)
    if row is None:
        raise NotFound("There is no such schedule.")
    return row
