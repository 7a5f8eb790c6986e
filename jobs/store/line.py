"""The line: in which order queued jobs are taken, and how an owner's jobs get into it (docs/adr/0009).

Every queue has one line, ordered by `turn`. A job's turn is given once, when it enters the line: one more
than that of its owner's last job in line or running, and never less than the queue's clock, which is the
largest turn that was taken so far. So each owner gets one job in each round, however many they have waiting,
and an owner who was away neither lost nor saved up anything (start-time fair queueing, Goyal, Vin and Cheng
1996, with one turn a job). A priority moves a job BOOST turns ahead or back; that is bounded, so nothing
waits for ever.

The line holds at most LINE jobs of one owner, queue and priority, or as many as the owner may still run. The
others wait behind it in their own order (`place`) and move up as those in front of them go. So a cap on
running jobs costs the claim nothing, a job that is canceled leaves a small gap at most, and owners can
reorder theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from jobs import policy
from jobs.models import Clock, Job, User, Webhook
from jobs.states import Hold, Priority
from jobs.store.rows import JobRow

#: How many turns a priority is worth.
BOOST = 10
#: An owner's jobs of one queue and priority that are in line at most; refilled when half of them are gone.
LINE = 256
#: What a priority is worth, in seconds, among an owner's own jobs behind the line.
PLACE_SECONDS = 600.0

_JOBS: Any = Job.__table__
_OWN: Any = Job.__table__.alias("own")  # an owner's jobs, beside the one a statement is about
_LONG_AGO = -(2**60)

# Literals, not bound values: a partial index serves only a query whose predicate is known when it is planned.
_IN_LINE = and_(_OWN.c.state == literal_column("'queued'"), _OWN.c.turn.is_not(None))
_RUNNING = and_(_OWN.c.state == literal_column("'running'"), _OWN.c.turn.is_not(None))
_BEHIND = and_(_OWN.c.state == literal_column("'queued'"), _OWN.c.hold == literal_column("'behind'"))


def _whose(owner: Any, queue: Any, priority: Any = None) -> ColumnElement[bool]:
    found = and_(_OWN.c.owner_id == owner, _OWN.c.queue == queue)
    return found if priority is None else and_(found, _OWN.c.priority == priority)


def _up_to(limit: Any, *conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    found = select(_OWN.c.id).where(*conditions).limit(limit).subquery()
    return select(func.count()).select_from(found).scalar_subquery()


def _latest(owner: Any, queue: Any, priority: Any) -> tuple[ScalarSelect[Any], ScalarSelect[Any]]:
    """The largest turns of an owner's jobs in line, and of those running: each one look into the index."""
    last = select(func.max(_OWN.c.turn)).where(_whose(owner, queue, priority))
    return last.where(_IN_LINE).scalar_subquery(), last.where(_RUNNING).scalar_subquery()


_owner: Any = bindparam("of_owner")
_queue: Any = bindparam("in_queue")
_priority: Any = bindparam("of_priority")
_in_line_last, _running_last = _latest(_owner, _queue, _priority)
#: What a new job of this owner, queue and priority meets.
_STANDING = select(
    select(Clock.turn).where(Clock.queue == _queue).scalar_subquery().label("clock"),
    _in_line_last.label("in_line_last"),
    _running_last.label("running_last"),
    _up_to(bindparam("line"), _whose(_owner, _queue, _priority), _IN_LINE).label("in_line"),
    exists().where(_whose(_owner, _queue, _priority), _BEHIND).label("behind"),
    select(User.max_running).where(User.id == _owner).scalar_subquery().label("max_running"),
    exists().where(Webhook.owner_id == _owner).label("heard"),
)
_CAP = select(User.max_running).where(User.id == _owner)
#: A cap is exact because whoever fills an owner's places holds this lock. `no key`: inserts that refer to the
#: row go on meanwhile.
_CAP_LOCKED = _CAP.with_for_update(key_share=True)
#: A claim holds a job already, which the holder of the lock may wait for.
_CAP_IF_FREE = _CAP.with_for_update(key_share=True, skip_locked=True)
_ACTIVE = select(
    _up_to(bindparam("most"), _whose(_owner, _queue), _IN_LINE)
    + _up_to(bindparam("most"), _whose(_owner, _queue), _RUNNING)
)
_NEXT = (
    select(_JOBS.c.id, _JOBS.c.priority, _JOBS.c.place)
    .where(
        _JOBS.c.owner_id == _owner,
        _JOBS.c.queue == _queue,
        _JOBS.c.priority == _priority,
        _JOBS.c.state == literal_column("'queued'"),
        _JOBS.c.hold == literal_column("'behind'"),
    )
    .order_by(_JOBS.c.place, _JOBS.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_ENTER = update(_JOBS).where(_JOBS.c.id == bindparam("of_job")).values(hold=None, turn=bindparam("its_turn"))
_numbered = (
    select(
        _OWN.c.id,
        (bindparam("first_turn") + func.row_number().over(order_by=(_OWN.c.turn, _OWN.c.id)) - 1).label(
            "turn"
        ),
    )
    .where(_whose(_owner, _queue, _priority), _IN_LINE)
    .subquery("numbered")
)
_CLOSE_GAPS = (
    update(_JOBS)
    .where(_JOBS.c.id == _numbered.c.id, _JOBS.c.turn > _numbered.c.turn)
    .values(turn=_numbered.c.turn)
)


def _its(column: str) -> ColumnElement[Any]:
    """A column of the row that RETURNING tells of; in it SQLAlchemy leaves out the table's name on SQLite."""
    return literal_column(f"jobs.{column}")


_THEIR_CAP = func.coalesce(
    select(User.max_running).where(User.id == _its("owner_id")).scalar_subquery(), bindparam("default_cap")
)
#: For RETURNING: whether the end of this job makes room, under its owner"s cap, for one that waits behind.
MORE_BEHIND = case(
    (_THEIR_CAP > 0, exists().where(_whose(_its("owner_id"), _its("queue")), _BEHIND)), else_=False
).label("more_behind")
#: For RETURNING: whether others of the owner wait behind, and half of the owner"s line is gone.
LINE_SHORT = case(
    (
        exists().where(_whose(_its("owner_id"), _its("queue"), _its("priority")), _BEHIND),
        _up_to(LINE // 2, _whose(_its("owner_id"), _its("queue"), _its("priority")), _IN_LINE) < LINE // 2,
    ),
    else_=False,
).label("line_short")
CLOCK = select(Clock.turn).where(Clock.queue == _its("queue")).scalar_subquery().label("clock")

_SET_CLOCK = (
    update(Clock)
    .where(
        Clock.queue.in_(
            # Skipped while another claim sets it: a claim waits for none, and the next one sets it further.
            select(Clock.queue)
            .where(Clock.queue == _queue, Clock.turn < bindparam("its_turn"))
            .with_for_update(skip_locked=True)
        )
    )
    .values(turn=bindparam("its_turn"))
)


@dataclass(frozen=True)
class Standing:
    """Where a new job goes."""

    hold: Hold | None
    turn: int | None
    #: Whether its owner has webhooks.
    heard: bool


def cap_of(max_running: int | None) -> int:
    """How many jobs of a queue an owner may run at once, 0 for any number; `max_running` is their row's."""
    return policy.max_running() if max_running is None else max_running


def stand(connection: Connection, owner_id: str, queue: str, priority: int, *, held: bool) -> Standing:
    """Where a job that is accepted now goes: into the line, behind it, or on hold."""
    values = {"of_owner": owner_id, "in_queue": queue, "of_priority": priority}
    met = connection.execute(_STANDING, values | {"line": LINE}).one()
    cap = cap_of(met.max_running)
    if cap:
        connection.execute(_CAP_LOCKED, values).one_or_none()
    if held:
        return Standing(Hold.OWNER, None, met.heard)
    full = met.behind or met.in_line >= LINE or (cap and _active(connection, values, cap) >= cap)
    if full:
        return Standing(Hold.BEHIND, None, met.heard)
    return Standing(None, _first_turn(met.in_line_last, met, priority), met.heard)


def admit(connection: Connection, owner_id: str, queue: str, *, only_line: bool = False) -> int:
    """Let an owner's jobs move up from behind the line, as far as there is room. Returns how many.

    `only_line`: nothing of theirs has ended, so that there is no new room under a cap; and if somebody else
    is at it, that will do.
    """
    values: dict[str, Any] = {"of_owner": owner_id, "in_queue": queue}
    owner = connection.execute(_CAP_IF_FREE if only_line else _CAP_LOCKED, values).one_or_none()
    if owner is None:
        return 0
    cap = cap_of(owner.max_running)
    if cap and only_line:
        return 0
    room = cap - _active(connection, values, cap) if cap else None
    if room is not None and room <= 0:
        return 0
    found: list[tuple[float, str, int, int]] = []  # place, id, priority, turn
    for priority in Priority:
        here = values | {"of_priority": int(priority)}
        met = connection.execute(_STANDING, here | {"line": LINE}).one()
        most = LINE - met.in_line if met.behind else 0
        most = most if room is None else min(most, room)
        turn = _first_turn(met.in_line_last, met, priority)
        if most > 0:
            waiting = connection.execute(_NEXT, here | {"most": most})
            found += [(row.place, row.id, priority, turn + n) for n, row in enumerate(waiting)]
    found = sorted(found)[:room]
    if found:
        connection.execute(_ENTER, [{"of_job": found_id, "its_turn": turn} for _, found_id, _, turn in found])
    return len(found)


def lock_owner(connection: Connection, job: JobRow) -> None:
    """Before a waiting job is taken out of the line: two that leave at once would wait for each other."""
    connection.execute(_CAP_LOCKED, {"of_owner": job.owner_id})


def left(connection: Connection, rows: Iterable[JobRow]) -> None:
    """These jobs left the line without having run: their owners' other jobs close the gaps and move up."""
    rows = list(rows)
    for owner_id, queue, priority in sorted({(row.owner_id, row.queue, row.priority) for row in rows}):
        values = {"of_owner": owner_id, "in_queue": queue, "of_priority": priority}
        met = connection.execute(_STANDING, values | {"line": LINE}).one()
        connection.execute(_CLOSE_GAPS, values | {"first_turn": _first_turn(None, met, priority)})
    for owner_id, queue in sorted({(row.owner_id, row.queue) for row in rows}):
        admit(connection, owner_id, queue)


def advance_clock(connection: Connection, row: Row[Any]) -> None:
    """A job was taken: the queue's clock shows its turn, if that is the largest so far."""
    if row.turn is None or (row.clock is not None and row.turn <= row.clock):
        return
    if row.clock is None:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        first = dialect.insert(Clock).values(queue=row.queue, turn=row.turn).on_conflict_do_nothing()
        connection.execute(first)
    connection.execute(_SET_CLOCK, {"in_queue": row.queue, "its_turn": row.turn})


def move_up(connection: Connection, rows: Iterable[JobRow]) -> None:
    """These jobs gave back their owners' places; each row's `more_behind` says whether anybody waits."""
    # In one order everywhere, so that two transactions never wait for each other's owners.
    for owner_id, queue in sorted({(row.owner_id, row.queue) for row in rows if row.more_behind}):
        admit(connection, owner_id, queue)


def own_place(accepted: float, priority: int) -> float:
    """A job's order behind the line when it is accepted at this time (seconds)."""
    return accepted - PLACE_SECONDS * priority


def _first_turn(in_line_last: int | None, met: Row[Any], priority: int) -> int:
    latest = max(x if x is not None else _LONG_AGO for x in (in_line_last, met.running_last))
    # A priority's boost is in the turns as they are stored, and not in what they are compared by.
    return int(max(met.clock or 0, latest + BOOST * priority + 1)) - BOOST * priority


def _active(connection: Connection, values: dict[str, Any], most: int) -> int:
    return int(connection.execute(_ACTIVE, values | {"most": most}).scalar_one())
