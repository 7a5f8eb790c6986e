"""A job's events: every change of state is noted in the transaction that makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import CTE, Connection, Table, bindparam, insert, select
from sqlalchemy.sql.dml import ReturningUpdate, UpdateBase

from jobs.models import JobEvent
from jobs.store.rows import JobRow

NOTE = insert(cast(Table, JobEvent.__table__))


def noting(changed: CTE) -> UpdateBase:
    """An event for each job that a statement with RETURNING has changed; `event_reason` says why."""
    reason = bindparam("event_reason", None, type_=JobEvent.__table__.c.reason.type)
    found = select(changed.c.id, changed.c.version, changed.c.state, changed.c.attempt, reason)
    return NOTE.from_select(["job_id", "version", "state", "attempt", "reason"], found)


def note(connection: Connection, rows: Iterable[JobRow], reason: str | None = None) -> None:
    """An event for each of these jobs."""
    events = [
        {
            "job_id": row.id,
            "version": row.version,
            "state": row.state,
            "attempt": row.attempt,
            "reason": reason,
        }
        for row in rows
    ]
    if events:
        connection.execute(NOTE, events)


class Noted:
    """An UPDATE of jobs that returns them, and an event for each: one round trip on PostgreSQL.

    `also`: what else PostgreSQL does in the same statement with what was changed. SQLite, which is in the
    same process, changes nothing in a WITH.
    """

    def __init__(
        self,
        changing: ReturningUpdate[Any],
        *,
        also: Callable[[CTE], Sequence[UpdateBase]] | None = None,
    ) -> None:
        changed = changing.cte("changed")
        self._changing = changing
        self._at_once = select(changed).add_cte(
            noting(changed).cte("noted"),
            *(one.cte(f"also_{n}") for n, one in enumerate(also(changed) if also else ())),
        )

    def run(
        self, connection: Connection, values: Mapping[str, Any], *, reason: str | None = None
    ) -> list[JobRow]:
        """Change them; the rows as they are now."""
        if connection.dialect.name == "postgresql":
            return list(connection.execute(self._at_once, {**values, "event_reason": reason}))
        rows = list(connection.execute(self._changing, dict(values)))
        note(connection, rows, reason)
        return rows
