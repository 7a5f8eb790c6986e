"""Owners, and the limits that each may have of their own."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, select, update

from accounts.limits import Limits
from jobs.errors import NotFound
from jobs.models import User
from jobs.rows import UserRow
from jobs.sql import fetch_all, fetch_one, newest_first
from jobs.store.base import StoreBase
from jobs.store.line.admitting import refit

_USERS = User.__table__


class Owners(StoreBase):
    """Owners and their limits."""

    def owner(self, owner_id: str) -> UserRow:
        """An owner's row. Raises NotFound."""
        return self._owner(User.id == owner_id)

    def owner_named(self, name: str) -> UserRow:
        """The row of the owner with this name. Raises NotFound."""
        return self._owner(User.name == name)

    def _owner(self, which: ColumnElement[bool]) -> UserRow:
        found = self.database.read(lambda c: fetch_one(c, UserRow, select(_USERS).where(which)))
        if found is None:
            raise NotFound("There is no such owner.")
        return found

    def owners(self, *, before: str | None = None, limit: int = 50) -> list[UserRow]:
        """Newest first; `before` is the id of the last owner of the page before."""
        query = newest_first(select(_USERS), User.id, before=before, limit=limit)
        return self.database.read(lambda c: fetch_all(c, UserRow, query))

    def set_limits(self, owner_id: str, changes: Mapping[str, float | None]) -> UserRow:
        """Change some of an owner's limits, by the names of `Limits`; None: the server's default again.

        Returns the row as it is now. Raises NotFound.
        """
        if unknown := changes.keys() - Limits.__dataclass_fields__.keys():
            raise ValueError(f"no limits: {sorted(unknown)}")
        changing = update(User).where(User.id == owner_id).values(**changes)

        def work(connection: Connection) -> None:
            connection.execute(changing)
            if "max_running" in changes:
                refit(connection, owner_id)

        if changes:
            self.database.write(work)
        return self.owner(owner_id)
