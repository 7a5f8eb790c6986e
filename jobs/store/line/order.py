"""What owners do to the order of their own waiting jobs: hold, release, move; and where a job stands."""

from __future__ import annotations

import time

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Executable,
    ScalarSelect,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from jobs.clock import now, seconds_since
from jobs.errors import WrongState
from jobs.models import Job, User
from jobs.rows import JobRow
from jobs.sql import Values, fetch_one, fetch_the_one
from jobs.states import Hold, Priority, State
from jobs.store.base import StoreBase
from jobs.store.events import note
from jobs.store.line.admitting import admit, foresee, left, lock_owner, own_place
from jobs.store.line.own import up_to
from jobs.store.statements import BEHIND, IN_LINE, JOBS, get_job

#: How far `queue_position` counts; a job behind that many has no use for the exact number.
MAX_POSITION = 1000
_STEP = 1.0


def _ahead(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    return up_to(MAX_POSITION - 1, *conditions, of=JOBS.c.id)


_queue: BindParameter[str] = bindparam("in_queue")
_turn: BindParameter[int] = bindparam("its_turn")
_job: BindParameter[str] = bindparam("of_job")
# Counts that are a range of an index each; one count with OR would filter the whole backlog.
_AHEAD_IN_LINE = select(
    _ahead(IN_LINE, JOBS.c.queue == _queue, JOBS.c.turn < _turn)
    + _ahead(IN_LINE, JOBS.c.queue == _queue, JOBS.c.turn == _turn, JOBS.c.id < _job)
)
_FLOW_BEHIND = and_(
    BEHIND,
    JOBS.c.owner_id == bindparam("of_owner"),
    JOBS.c.queue == _queue,
    JOBS.c.priority == bindparam("of_priority"),
)
_AHEAD_BEHIND = select(
    _ahead(IN_LINE, JOBS.c.queue == _queue) + _ahead(_FLOW_BEHIND, JOBS.c.place < bindparam("its_place"))
)


def _position(connection: Connection, hold: str | None, values: Values) -> int:
    ahead = _AHEAD_IN_LINE if hold is None else _AHEAD_BEHIND
    return min(int(connection.execute(ahead, values).scalar_one()) + 1, MAX_POSITION)


class OwnOrder(StoreBase):
    """What owners do to the order of their own waiting jobs."""

    def position(self, job: JobRow) -> int | None:
        """1 for the job its queue will hand out next; counted up to MAX_POSITION. None for a held job.

        For a job behind the line it is at least that, since other owners' new jobs may get in between.
        """
        if job.hold in (Hold.OWNER, Hold.PARTS):
            return None
        values = {"in_queue": job.queue, "of_owner": job.owner_id, "of_priority": job.priority}
        values |= {"its_turn": job.turn, "of_job": job.id, "its_place": job.place}
        return self.database.read(lambda c: _position(c, job.hold, values))

    def next_position(self, owner_id: str, queue: str, priority: Priority) -> tuple[int, Hold | None]:
        """Where a job would stand if it were accepted now, counted up to MAX_POSITION; and its hold."""
        values = {"in_queue": queue, "of_owner": owner_id, "of_priority": int(priority)}

        def read(connection: Connection) -> tuple[int, Hold | None]:
            turn = foresee(connection, owner_id, queue, priority)
            if turn is None:
                later = {"its_place": own_place(time.time(), priority)}
                return _position(connection, Hold.BEHIND, values | later), Hold.BEHIND
            # Before the first one of the next turn: behind all of the same.
            return _position(connection, None, values | {"its_turn": turn + 1, "of_job": ""}), None

        return self.database.read(read)

    def hold(self, job_id: str, owner_id: str | None) -> JobRow:
        """Let a queued job wait until it is released. Raises NotFound and WrongState.

        One that waits for jobs it asked for is not in line, and stays where it is.
        """
        holding = (
            update(JOBS)
            .where(JOBS.c.id == job_id, JOBS.c.state == State.QUEUED.value)
            .where(or_(JOBS.c.hold.is_(None), JOBS.c.hold == Hold.BEHIND.value))
            .values(hold=Hold.OWNER.value, turn=None, version=JOBS.c.version + 1)
            .returning(JOBS)
        )

        def work(connection: Connection) -> JobRow:
            return self._change(connection, holding, job_id, owner_id, "held")

        return self.database.write(work)

    def release_hold(self, job_id: str, owner_id: str | None) -> JobRow:
        """Let a held job wait in line again. Raises NotFound and WrongState."""
        waited = JOBS.c.run_after < now()
        releasing = (
            update(JOBS)
            .where(JOBS.c.id == job_id, JOBS.c.state == State.QUEUED.value, JOBS.c.hold == Hold.OWNER.value)
            .values(
                hold=Hold.BEHIND.value,
                version=JOBS.c.version + 1,
                # It begins to wait anew; the time until now is kept in its account.
                run_after=case((waited, now()), else_=JOBS.c.run_after),
                queue_seconds=JOBS.c.queue_seconds
                + case((waited, seconds_since(JOBS.c.run_after)), else_=0.0),
            )
            .returning(JOBS)
        )

        def work(connection: Connection) -> JobRow:
            return self._change(connection, releasing, job_id, owner_id, "released_by_owner")

        return self.database.write(work)

    def _change(
        self, connection: Connection, changing: Executable, job_id: str, owner_id: str | None, reason: str
    ) -> JobRow:
        lock_owner(connection, get_job(connection, job_id, owner_id).owner_id)
        seen = get_job(connection, job_id, owner_id)
        row = fetch_one(connection, JobRow, changing)
        if row is not None:
            note(connection, [row], reason)
            left(connection, [row], {row.id: seen.turn})
        row = get_job(connection, job_id, owner_id)
        if row.state != State.QUEUED:
            raise WrongState(f"Only a queued job can be held or released; this one is {row.state}.")
        if row.hold == Hold.PARTS:
            raise WrongState("It waits for jobs that it asked for: hold or release those.")
        return row

    def move(self, job_id: str, owner_id: str, *, before: str | None = None, to_end: bool = False) -> JobRow:
        """Put a queued job before another of the same owner, queue and priority; or first; or last.

        Jobs of other owners keep their places. Raises NotFound and WrongState.
        """

        def work(connection: Connection) -> JobRow:
            # Before any lock: the end of a running job may be waiting for the owner's.
            for named in (job_id, before):
                if named is not None:
                    self._movable(connection, named, owner_id)
            # One at a time for an owner, and nobody enters their line meanwhile.
            connection.execute(select(User.id).where(User.id == owner_id).with_for_update(key_share=True))
            job = self._movable(connection, job_id, owner_id, for_update=True)
            if before == job_id:
                return job
            target = None
            if before is not None:
                target = self._movable(connection, before, owner_id, for_update=True)
            if target is not None and (target.queue, target.priority) != (job.queue, job.priority):
                raise WrongState("Only jobs of the same queue and priority can change places.")
            _Move(connection, job).put(target, to_end=to_end)
            moved = update(JOBS).where(JOBS.c.id == job_id).values(version=JOBS.c.version + 1).returning(JOBS)
            row = fetch_the_one(connection, JobRow, moved)
            note(connection, [row], "moved")
            return row

        return self.database.write(work)

    def _movable(
        self, connection: Connection, job_id: str, owner_id: str, *, for_update: bool = False
    ) -> JobRow:
        job = get_job(connection, job_id, owner_id, for_update=for_update)
        if job.state != State.QUEUED or job.hold in (Hold.OWNER, Hold.PARTS):
            raise WrongState("Only jobs that are queued and not held can change places.")
        return job


class _Move:
    """One job among its owner's of the same queue and priority: those in line, then those behind it."""

    def __init__(self, connection: Connection, job: JobRow) -> None:
        self._connection = connection
        self._job = job
        self._theirs = and_(
            JOBS.c.owner_id == job.owner_id, JOBS.c.queue == job.queue, JOBS.c.priority == job.priority
        )

    def put(self, target: JobRow | None, *, to_end: bool) -> None:
        """Before `target`; without one, last or first."""
        if to_end:
            last = self._place(func.max(JOBS.c.place))
            if last is None:
                self._into_line(last=True)
            else:
                self._behind(last + _STEP)
        elif target is None:
            self._into_line()
        elif target.hold is None:
            self._into_line(before=target.id)
        else:
            self._behind(self._just_before(target))

    def _in_line(self) -> list[tuple[str, int]]:
        """(id, turn) of those in line, in their order."""
        query = select(Job.id, Job.turn).where(self._theirs, IN_LINE)
        found = self._connection.execute(query.order_by(JOBS.c.turn, JOBS.c.id).with_for_update())
        return [(job_id, turn) for job_id, turn in found if turn is not None]

    def _place(self, what: ColumnElement[float], *more: ColumnElement[bool]) -> float | None:
        found: float | None = self._connection.execute(
            select(what).where(self._theirs, BEHIND, JOBS.c.id != self._job.id, *more)
        ).scalar_one()
        return found

    def _into_line(self, *, before: str | None = None, last: bool = False) -> None:
        """The line keeps its turns; who has which of them changes."""
        rows = self._in_line()
        turns = [turn for _, turn in rows]
        order = [job_id for job_id, _ in rows if job_id != self._job.id]
        if not turns:  # a cap that is used up: all of them wait behind
            self._behind(self._before_all())
            return
        order.insert(len(order) if last else order.index(before) if before else 0, self._job.id)
        if len(order) > len(turns):  # it came from behind: the last in line goes there
            self._set(order.pop(), hold=Hold.BEHIND.value, turn=None, place=self._before_all())
        for job_id, turn in zip(order, turns, strict=True):
            self._set(job_id, hold=None, turn=turn)

    def _before_all(self) -> float:
        first = self._place(func.min(JOBS.c.place))
        return (self._job.place if first is None else first) - _STEP

    def _behind(self, place: float) -> None:
        self._set(self._job.id, hold=Hold.BEHIND.value, turn=None, place=place)
        admit(self._connection, self._job.owner_id, self._job.queue)

    def _just_before(self, target: JobRow) -> float:
        place = self._connection.execute(select(JOBS.c.place).where(JOBS.c.id == target.id)).scalar_one()
        previous = self._place(func.max(JOBS.c.place), JOBS.c.place < place)
        middle = (previous + place) / 2 if previous is not None else place - _STEP
        if previous is None or previous < middle < place:
            return float(middle)
        self._renumber()  # no number is left between the two
        return self._just_before(target)

    def _renumber(self) -> None:
        numbered = (
            select(JOBS.c.id, func.row_number().over(order_by=(JOBS.c.place, JOBS.c.id)).label("number"))
            .where(self._theirs, BEHIND)
            .subquery()
        )
        first = self._place(func.min(JOBS.c.place)) or 0.0
        self._connection.execute(
            update(JOBS).where(JOBS.c.id == numbered.c.id).values(place=first + _STEP * numbered.c.number)
        )

    def _set(self, job_id: str, **values: object) -> None:
        self._connection.execute(update(JOBS).where(JOBS.c.id == job_id).values(**values))
