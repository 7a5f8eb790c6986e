"""Bearer keys. Only a digest of each is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection

from sqlalchemy import Connection, select, update

from jobs.clock import now
from jobs.errors import NotFound
from jobs.ids import new_id
from jobs.models import ApiKey, User
from jobs.rows import KeyRow, NamedKeyRow
from jobs.sql import fetch_all, fetch_one, fetch_the_one, insert_or
from jobs.store.base import StoreBase

#: Shown at the front of every key, so that a leaked one is recognised by scanners and people.
KEY_PREFIX = "atl_"

_KEYS = ApiKey.__table__
#: What `NamedKeyRow` is.
WITH_OWNER = select(_KEYS, User.name.label("user_name")).join(User, User.id == ApiKey.user_id)


def digest(key: str) -> str:
    """What is stored of a key: its SHA-256, hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key() -> str:
    """A key that nobody has."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def of_key(key: str) -> dict[str, object]:
    """What the row of a new key holds of it."""
    return {"id": new_id("key"), "digest": digest(key), "prefix": key[:12]}


class Keys(StoreBase):
    """Keys and whose they are."""

    def create_key(
        self,
        user: str,
        *,
        name: str = "",
        admin: bool = False,
        rate_per_minute: int | None = None,
        max_upload_bytes: int | None = None,
    ) -> tuple[str, KeyRow]:
        """A new key for the owner named `user`, who is made if new. Returns (the key, its row).

        The key itself is kept nowhere: this is the only time it can be shown.
        """
        key = new_key()

        def work(connection: Connection) -> KeyRow:
            connection.execute(
                insert_or(connection, User).values(id=new_id("usr"), name=user).on_conflict_do_nothing()
            )
            user_id = connection.execute(select(User.id).where(User.name == user)).scalar_one()
            values = {
                "user_id": user_id,
                "name": name,
                "admin": admin,
                "rate_per_minute": rate_per_minute,
                "max_upload_bytes": max_upload_bytes,
            }
            making = insert_or(connection, ApiKey).values(of_key(key) | values).on_conflict_do_nothing()
            connection.execute(making)
            return fetch_the_one(connection, KeyRow, select(_KEYS).where(ApiKey.digest == digest(key)))

        return key, self.database.write(work)

    def authenticate(self, key: str) -> KeyRow | None:
        """The row of a valid key, or None."""
        query = select(_KEYS).where(ApiKey.digest == digest(key), ApiKey.revoked_at.is_(None))
        return self.database.read(lambda c: fetch_one(c, KeyRow, query))

    def valid(self, key_ids: Collection[str]) -> set[str]:
        """Those of these keys that were not revoked."""
        query = select(ApiKey.id).where(ApiKey.id.in_(key_ids), ApiKey.revoked_at.is_(None))
        return self.database.read(lambda c: set(c.execute(query).scalars()))

    def has_key(self, user_id: str) -> bool:
        """Whether this owner has a key that was not revoked."""
        query = select(ApiKey.id).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None)).limit(1)
        return self.database.read(lambda c: c.execute(query).first() is not None)

    def keys(self, user_id: str | None = None) -> list[NamedKeyRow]:
        """All keys (or one owner's), newest first, each with its owner's name as `user_name`."""
        query = WITH_OWNER.order_by(ApiKey.id.desc())
        if user_id is not None:
            query = query.where(ApiKey.user_id == user_id)
        return self.database.read(lambda c: fetch_all(c, NamedKeyRow, query))

    def live_key(self, key_id: str) -> KeyRow | None:
        """The row of the key with this id, or None if there is none or it was revoked."""
        query = select(_KEYS).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
        return self.database.read(lambda c: fetch_one(c, KeyRow, query))

    def revoke(self, key_id: str, owner_id: str | None = None) -> None:
        """Make a key useless from now on; with `owner_id`, only if it is that owner's. Raises NotFound."""
        revoking = (
            update(ApiKey)
            .where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
            .values(revoked_at=now())
            .returning(ApiKey.id)
        )
        if owner_id is not None:
            revoking = revoking.where(ApiKey.user_id == owner_id)
        done = self.database.write(lambda c: c.execute(revoking).scalar_one_or_none(), repeatable=False)
        if done is None:
            raise NotFound("There is no such key, or it is revoked already.")
