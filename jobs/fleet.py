"""FleetStore: what the worker processes report of themselves, and the locks they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, Row, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from jobs.clock import now
from jobs.database import Database
from jobs.models import Lock, Worker

#: A worker that has not reported for this long is not counted as alive.
ALIVE_SECONDS = 15.0


class FleetStore:
    """Workers and locks, in one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def _insert(self, model: Any) -> Any:
        return (sqlite if self.database.is_sqlite else postgresql).insert(model)

    def report(
        self,
        worker_id: str,
        *,
        hostname: str,
        pid: int,
        queues: Sequence[str],
        engines: Sequence[str],
        weights: Sequence[str],
        device: str | None,
        models: Sequence[str] = (),
        job_ids: Sequence[str] = (),
    ) -> None:
        """A worker says that it lives, and what it is doing."""
        values = {
            "hostname": hostname,
            "pid": pid,
            "queues": list(queues),
            "engines": list(engines),
            "weights": list(weights),
            "device": device,
            "models": list(models),
            "job_ids": list(job_ids),
            "heartbeat_at": now(),
        }
        made = self._insert(Worker).values(id=worker_id, **values)
        self.database.write(
            lambda c: c.execute(made.on_conflict_do_update(index_elements=[Worker.id], set_=values)),
            survives_power_cut=False,
        )

    def leave(self, worker_id: str) -> None:
        """A worker ends."""
        self.database.write(lambda c: c.execute(delete(Worker).where(Worker.id == worker_id)))

    def alive(self) -> list[Row[Any]]:
        """The workers that reported lately."""
        query = select(Worker.__table__).where(Worker.heartbeat_at > now(-ALIVE_SECONDS))
        return self.database.read(lambda c: list(c.execute(query)))

    def forget_dead(self, after_seconds: float = 3600.0) -> None:
        """Drop the rows of workers that have been silent for long."""
        self.database.write(
            lambda c: c.execute(delete(Worker).where(Worker.heartbeat_at < now(-after_seconds)))
        )

    def lock(self, name: str, holder: str, *, seconds: float) -> bool:
        """Take or renew a named lock for some seconds; False while somebody else holds it."""

        def work(connection: Connection) -> bool:
            connection.execute(
                self._insert(Lock).values(name=name, holder=holder, until=now(-1)).on_conflict_do_nothing()
            )
            taken = connection.execute(
                update(Lock)
                .where(Lock.name == name, or_(Lock.holder == holder, Lock.until < now()))
                .values(holder=holder, until=now(seconds))
            )
            assert isinstance(taken, CursorResult)
            return taken.rowcount == 1

        return self.database.write(work, survives_power_cut=False)

    def unlock(self, name: str, holder: str) -> None:
        """Give a lock back before its time."""
        self.database.write(lambda c: c.execute(delete(Lock).where(Lock.name == name, Lock.holder == holder)))
