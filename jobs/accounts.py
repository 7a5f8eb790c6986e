"""AccountStore: owners, their API keys, and the secret the API processes share."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from jobs.clock import now
from jobs.database import Database
from jobs.errors import NotFound
from jobs.ids import new_id
from jobs.models import ApiKey, Secret, User

#: Shown at the front of every key, so that a leaked one is recognised by scanners and people.
KEY_PREFIX = "atl_"

_KEYS = ApiKey.__table__


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
