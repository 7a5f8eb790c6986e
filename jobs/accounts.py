"""AccountStore: owners and their limits, their API keys, and the secret the API processes share."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from jobs import policy
from jobs.clock import now
from jobs.database import Database
from jobs.errors import NotFound
from jobs.ids import new_id
from jobs.models import ApiKey, Secret, User
from jobs.store.line import refit

#: Shown at the front of every key, so that a leaked one is recognised by scanners and people.
KEY_PREFIX = "atl_"

_KEYS = ApiKey.__table__
_USERS = User.__table__


@dataclass(frozen=True)
class Limits:
    """What holds for an owner: what their row says, and the server's defaults for the rest. 0: no limit."""

    max_running: int
    max_queued: int
    keep_days: float


def limits_of(row: Row[Any]) -> Limits:
    """The limits that hold for the owner in this row of `users`."""
    return Limits(
        max_running=policy.max_running() if row.max_running is None else row.max_running,
        max_queued=policy.max_queued() if row.max_queued is None else row.max_queued,
        keep_days=policy.keep_days() if row.keep_days is None else row.keep_days,
    )


def digest(key: str) -> str:
    """What is stored of a key: its SHA-256, hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


class AccountStore:
    """Owners and keys, in one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def _insert(self, model: Any) -> Any:
        return (sqlite if self.database.is_sqlite else postgresql).insert(model)

    def create_key(
        self,
        user: str,
        *,
        name: str = "",
        admin: bool = False,
        rate_per_minute: int | None = None,
        max_upload_bytes: int | None = None,
    ) -> tuple[str, Row[Any]]:
        """A new key for the owner named `user`, who is made if new. Returns (the key, its row).

        The key itself is kept nowhere: this is the only time it can be shown.
        """
        key = KEY_PREFIX + secrets.token_urlsafe(32)

        def work(connection: Connection) -> Row[Any]:
            connection.execute(
                self._insert(User).values(id=new_id("usr"), name=user).on_conflict_do_nothing()
            )
            user_id = connection.execute(select(User.id).where(User.name == user)).scalar_one()
            connection.execute(
                self._insert(ApiKey)
                .values(
                    id=new_id("key"),
                    user_id=user_id,
                    name=name,
                    digest=digest(key),
                    prefix=key[:12],
                    admin=admin,
                    rate_per_minute=rate_per_minute,
                    max_upload_bytes=max_upload_bytes,
                )
                .on_conflict_do_nothing()
            )
            return connection.execute(select(_KEYS).where(ApiKey.digest == digest(key))).one()

        return key, self.database.write(work)

    def owner(self, owner_id: str) -> Row[Any]:
        """An owner's row. Raises NotFound."""
        return self._owner(User.id == owner_id)

    def owner_named(self, name: str) -> Row[Any]:
        """The row of the owner with this name. Raises NotFound."""
        return self._owner(User.name == name)

    def _owner(self, which: ColumnElement[bool]) -> Row[Any]:
        row = self.database.read(lambda c: c.execute(select(_USERS).where(which)).one_or_none())
        if row is None:
            raise NotFound("There is no such owner.")
        return row

    def owners(self, *, before: str | None = None, limit: int = 50) -> list[Row[Any]]:
        """Newest first; `before` is the id of the last owner of the page before."""
        query = select(_USERS).order_by(User.id.desc()).limit(limit)
        if before is not None:
            query = query.where(User.id < before)
        return self.database.read(lambda c: list(c.execute(query)))

    def set_limits(self, owner_id: str, changes: Mapping[str, float | None]) -> Row[Any]:
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

    def authenticate(self, key: str) -> Row[Any] | None:
        """The row of a valid key, or None."""
        query = select(_KEYS).where(ApiKey.digest == digest(key), ApiKey.revoked_at.is_(None))
        return self.database.read(lambda c: c.execute(query).one_or_none())

    def keys(self, user_id: str | None = None) -> list[Row[Any]]:
        """All keys (or one owner's), newest first, each with its owner's name as `user_name`."""
        query = (
            select(_KEYS, User.name.label("user_name"))
            .join(User, User.id == ApiKey.user_id)
            .order_by(ApiKey.id.desc())
        )
        if user_id is not None:
            query = query.where(ApiKey.user_id == user_id)
        return self.database.read(lambda c: list(c.execute(query)))

    def revoke(self, key_id: str) -> None:
        """Make a key useless from now on. Raises NotFound."""
        revoking = (
            update(ApiKey)
            .where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
            .values(revoked_at=now())
            .returning(ApiKey.id)
        )
        done = self.database.write(lambda c: c.execute(revoking).scalar_one_or_none(), repeatable=False)
        if done is None:
            raise NotFound("There is no such key, or it is revoked already.")

    def shared_secret(self, name: str) -> str:
        """The random secret of this name, made by whoever asks first."""

        def work(connection: Connection) -> str:
            connection.execute(
                self._insert(Secret)
                .values(name=name, value=secrets.token_urlsafe(48))
                .on_conflict_do_nothing()
            )
            return str(connection.execute(select(Secret.value).where(Secret.name == name)).scalar_one())

        return self.database.write(work)
