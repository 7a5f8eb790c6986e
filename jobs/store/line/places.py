"""Where many jobs stand at once, as `OwnOrder.position` says it of one: a statement a queue, and one more."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, func, select

from jobs.rows import JobRow
from jobs.states import Hold, State
from jobs.store.line.order import MAX_POSITION
from jobs.store.line.own import OWN, OWN_BEHIND, its, whose
from jobs.store.statements import IN_LINE, JOBS

_PLACE = tuple[int, str]
#: No turn is as large.
_END = 2**62

_LINE = (
    select(JOBS.c.turn, JOBS.c.id)
    .where(IN_LINE, JOBS.c.queue == bindparam("in_queue"), JOBS.c.turn <= bindparam("last_turn"))
    .order_by(JOBS.c.turn, JOBS.c.id)
    .limit(MAX_POSITION - 1)
)
# In order, though only counted: PostgreSQL would otherwise rather read the table than its index.
_own_before = (
    select(OWN.c.id)
    .where(
        whose(its("owner_id"), its("queue"), its("priority")),
        OWN_BEHIND,
        OWN.c.place < its("place"),
    )
    .order_by(OWN.c.place)
    .limit(MAX_POSITION - 1)
    .subquery()
)
_OWN_BEFORE = select(func.count()).select_from(_own_before).scalar_subquery()
_BEFORE = select(JOBS.c.id, _OWN_BEFORE.label("before")).where(
    JOBS.c.id.in_(bindparam("ids", expanding=True))
)


def positions(connection: Connection, rows: Iterable[JobRow]) -> dict[str, int]:
    """The position of each of these jobs that is queued and not held, by its id."""
    queued = [row for row in rows if row.state == State.QUEUED and row.hold in (None, Hold.BEHIND)]
    lines = {queue: _line(connection, queue, queued) for queue in sorted({row.queue for row in queued})}
    behind = [row.id for row in queued if row.hold is not None]
    before = _before(connection, behind) if behind else {}
    found = {}
    for row in queued:
        line = lines[row.queue]
        # One that left the queue since it was read still has its turn, and may have left the table.
        ahead = (
            bisect_left(line, (row.turn, row.id)) if row.hold is None else len(line) + before.get(row.id, 0)
        )
        found[row.id] = min(ahead + 1, MAX_POSITION)
    return found


def _line(connection: Connection, queue: str, rows: list[JobRow]) -> list[_PLACE]:
    """The front of a queue's line: as far as any of these jobs needs it."""
    here = [row for row in rows if row.queue == queue]
    last = max(_END if row.turn is None else row.turn for row in here)
    found = connection.execute(_LINE, {"in_queue": queue, "last_turn": last})
    return sorted((turn, job_id) for turn, job_id in found)


def _before(connection: Connection, job_ids: list[str]) -> dict[str, int]:
    """How many of their owners' jobs stand before each of these behind the line."""
    return {row.id: row.before for row in connection.execute(_BEFORE, {"ids": job_ids})}
