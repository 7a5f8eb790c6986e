"""AccountStore: owners and their limits, their API keys and the codes by which they hand one on.

And the secret the API processes share.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from jobs import policy
from jobs.clock import now
from jobs.database import Database
from jobs.errors import NotFound
from jobs.ids import new_id
from jobs.models import ApiKey, LinkCode, Secret, User
from jobs.rows import KeyRow, NamedKeyRow, UserRow
from jobs.sql import fetch_all, fetch_one, fetch_the_one, insert_or, newest_first
from jobs.store.line.admitting import lock_owner, refit

#: Shown at the front of every key, so that a leaked one is recognised by scanners and people.
KEY_PREFIX = "atl_"

#: Shown at the front of every link code, so that a bot knows one from its other deep links.
CODE_PREFIX = "link_"
#: Seconds in which a link code can be redeemed.
CODE_SECONDS = 600.0
#: Codes of one owner that can be redeemed at a time; a further one replaces the oldest.
MOST_CODES = 5

_KEYS = ApiKey.__table__
_USERS = User.__table__
_WITH_OWNER = select(_KEYS, User.name.label("user_name")).join(User, User.id == ApiKey.user_id)


@dataclass(frozen=True)
class Limits:
    """What holds for an owner: what their row says, and the server's defaults for the rest. 0: no limit."""

    max_running: int
    max_queued: int
    keep_days: float
    max_stored_bytes: int


def limits_of(owner: UserRow) -> Limits:
    """The limits that hold for the owner in this row of `users`."""
    return Limits(
        max_running=policy.max_running() if owner.max_running is None else owner.max_running,
        max_queued=policy.max_queued() if owner.max_queued is None else owner.max_queued,
        keep_days=policy.keep_days() if owner.keep_days is None else owner.keep_days,
        max_stored_bytes=(
            policy.max_stored_bytes() if owner.max_stored_bytes is None else owner.max_stored_bytes
        ),
    )


def digest(key: str) -> str:
    """What is stored of a key: its SHA-256, hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def _new_key() -> str:
    return KEY_PREFIX + secrets.token_urlsafe(32)


def _of_key(key: str) -> dict[str, object]:
    """What the row of a new key holds of it."""
    return {"id": new_id("key"), "digest": digest(key), "prefix": key[:12]}


class AccountStore:
    """Owners and keys, in one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

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
        key = _new_key()

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
            making = insert_or(connection, ApiKey).values(_of_key(key) | values).on_conflict_do_nothing()
            connection.execute(making)
            return fetch_the_one(connection, KeyRow, select(_KEYS).where(ApiKey.digest == digest(key)))

        return key, self.database.write(work)

    def create_code(self, owner_id: str, key_id: str) -> tuple[str, datetime]:
        """A code for a further key of this owner, asked for with this key of theirs. Returns (code, its end).

        Like a key, the code itself is kept nowhere. Of MOST_CODES others the one that ends first is replaced.
        """
        code = CODE_PREFIX + secrets.token_urlsafe(24)
        newest = (
            select(LinkCode.digest)
            .where(LinkCode.owner_id == owner_id)
            .order_by(LinkCode.expires_at.desc())
            .limit(MOST_CODES - 1)
        )
        forgetting = delete(LinkCode).where(LinkCode.owner_id == owner_id, LinkCode.digest.not_in(newest))
        values = {"digest": digest(code), "owner_id": owner_id, "key_id": key_id}
        making = insert_or(self.database.engine, LinkCode).values(**values, expires_at=now(CODE_SECONDS))
        made = select(LinkCode.expires_at).where(LinkCode.digest == digest(code))

        def work(connection: Connection) -> datetime:
            lock_owner(connection, owner_id)  # two at once would each leave room for one
            connection.execute(forgetting)
            connection.execute(making.on_conflict_do_nothing())
            return connection.execute(made).scalar_one()

        return code, self.database.write(work)

    def redeem(self, code: str, *, name: str = "") -> tuple[str, NamedKeyRow]:
        """A new key for the owner of this code, which goes. Returns (the key, its row with `user_name`).

        Never an admin key, and with the limits of the key that asked for the code. Raises NotFound for a code
        that is wrong, used or expired, or of a key that was revoked.
        """
        key = _new_key()
        asking = select(ApiKey.id).where(ApiKey.revoked_at.is_(None))
        # Of two at once the other one waits here for the row, and finds it gone.
        taking = (
            delete(LinkCode)
            .where(LinkCode.digest == digest(code), LinkCode.expires_at > now(), LinkCode.key_id.in_(asking))
            .returning(LinkCode.key_id)
        )
        copied = (ApiKey.user_id, ApiKey.rate_per_minute, ApiKey.max_upload_bytes)
        own = _of_key(key) | {"name": name, "admin": False}

        def work(connection: Connection) -> NamedKeyRow | None:
            key_id = connection.execute(taking).scalar_one_or_none()
            if key_id is not None:
                asked = connection.execute(select(*copied).where(ApiKey.id == key_id)).one()
                connection.execute(insert(ApiKey).values({**asked._mapping, **own}))
            # Also when this very transaction was done before and its commit confirmed too late to be heard.
            return fetch_one(connection, NamedKeyRow, _WITH_OWNER.where(ApiKey.digest == digest(key)))

        made = self.database.write(work)
        if made is None:
            raise NotFound("This code is wrong, was used or has expired.", code="link_code_not_found")
        return key, made

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

    def authenticate(self, key: str) -> KeyRow | None:
        """The row of a valid key, or None."""
        query = select(_KEYS).where(ApiKey.digest == digest(key), ApiKey.revoked_at.is_(None))
        return self.database.read(lambda c: fetch_one(c, KeyRow, query))

    def valid(self, key_ids: Collection[str]) -> set[str]:
        """Those of these keys that were not revoked."""
        query = select(ApiKey.id).where(ApiKey.id.in_(key_ids), ApiKey.revoked_at.is_(None))
        return self.database.read(lambda c: set(c.execute(query).scalars()))

    def keys(self, user_id: str | None = None) -> list[NamedKeyRow]:
        """All keys (or one owner's), newest first, each with its owner's name as `user_name`."""
        query = _WITH_OWNER.order_by(ApiKey.id.desc())
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

    def shared_secret(self, name: str) -> str:
        """The random secret of this name, made by whoever asks first."""

        def work(connection: Connection) -> str:
            connection.execute(
                insert_or(connection, Secret)
                .values(name=name, value=secrets.token_urlsafe(48))
                .on_conflict_do_nothing()
            )
            return str(connection.execute(select(Secret.value).where(Secret.name == name)).scalar_one())

        return self.database.write(work)
