"""A job's events: every change of state is noted in the transaction that makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import CTE, Connection, bindparam, insert, select
from sqlalchemy.sql.dml import ReturningUpdate, UpdateBase

from jobs.models import JobEvent
from jobs.rows import JobRow
from jobs.sql import Values, fetch_all

NOTE = insert(JobEvent.__table__)

R = TypeVar("R", bound=JobRow)


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


class Noted(Generic[R]):
    """An UPDATE of jobs that returns them, and an event for each: one round trip on PostgreSQL.

    `also`: what else PostgreSQL does in the same statement with what was changed. SQLite, which is in the
    same process, changes nothing in a WITH.
    """

    def __init__(
        self,
        kind: type[R],
        changing: ReturningUpdate[Any],
        *,
        also: Callable[[CTE], Sequence[UpdateBase]] | None = None,
    ) -> None:
        changed = changing.cte("changed")
        self._kind = kind
        self._changing = changing
        self._at_once = select(changed).add_cte(
            noting(changed).cte("noted"),
            *(one.cte(f"also_{n}") for n, one in enumerate(also(changed) if also else ())),
        )

    @property
    def columns(self) -> Any:
        """What the rows have."""
        return self._changing.exported_columns

    def run(self, connection: Connection, values: Values, *, reason: str | None = None) -> list[R]:
        """Change them; the rows as they are now."""
        if connection.dialect.name == "postgresql":
            return fetch_all(connection, self._kind, self._at_once, {**values, "event_reason": reason})
        rows = fetch_all(connection, self._kind, self._changing, values)
        note(connection, rows, reason)
        return rows
