"""Locks with a name and a lease, for work that one process at a time should do."""

from __future__ import annotations

from sqlalchemy import Connection, CursorResult, delete, or_, update

from jobs.clock import now
from jobs.models import Lock
from jobs.sql import insert_or
from jobs.store.base import StoreBase


class Locks(StoreBase):
    """Named locks, in one database."""

    def lock(self, name: str, holder: str, *, seconds: float) -> bool:
        """Take or renew a named lock for some seconds; False while somebody else holds it."""

        def work(connection: Connection) -> bool:
            connection.execute(
                insert_or(connection, Lock)
                .values(name=name, holder=holder, until=now(-1))
                .on_conflict_do_nothing()
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
