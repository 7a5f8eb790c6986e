"""Link codes: by one of them an owner hands a further key to a bot, once and for a short while."""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select

from accounts.keys import WITH_OWNER, digest, new_key, of_key
from jobs.clock import now
from jobs.errors import NotFound
from jobs.models import ApiKey, LinkCode
from jobs.rows import NamedKeyRow
from jobs.sql import fetch_one, insert_or
from jobs.store.base import StoreBase
from jobs.store.line.admitting import lock_owner
from jobs.store.retention import cutoff

#: Shown at the front of every link code, so that a bot knows one from its other deep links.
CODE_PREFIX = "link_"
#: Seconds in which a link code can be redeemed.
CODE_SECONDS = 600.0
#: Codes of one owner that can be redeemed at a time; a further one replaces the oldest.
MOST_CODES = 5

_EXPIRED_CODES = (
    select(LinkCode.digest)
    .where(LinkCode.expires_at < cutoff(0.0))
    .order_by(LinkCode.expires_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_FORGET_CODES = delete(LinkCode).where(LinkCode.digest.in_(bindparam("digests", expanding=True)))


class LinkCodes(StoreBase):
    """Codes for a further key of their owner's."""

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
        key = new_key()
        asking = select(ApiKey.id).where(ApiKey.revoked_at.is_(None))
        # Of two at once the other one waits here for the row, and finds it gone.
        taking = (
            delete(LinkCode)
            .where(LinkCode.digest == digest(code), LinkCode.expires_at > now(), LinkCode.key_id.in_(asking))
            .returning(LinkCode.key_id)
        )
        copied = (ApiKey.user_id, ApiKey.rate_per_minute, ApiKey.max_upload_bytes)
        own = of_key(key) | {"name": name, "admin": False}

        def work(connection: Connection) -> NamedKeyRow | None:
            key_id = connection.execute(taking).scalar_one_or_none()
            if key_id is not None:
                asked = connection.execute(select(*copied).where(ApiKey.id == key_id)).one()
                connection.execute(insert(ApiKey).values({**asked._mapping, **own}))
            # Also when this very transaction was done before and its commit confirmed too late to be heard.
            return fetch_one(connection, NamedKeyRow, WITH_OWNER.where(ApiKey.digest == digest(key)))

        made = self.database.write(work)
        if made is None:
            raise NotFound("This code is wrong, was used or has expired.", code="link_code_not_found")
        return key, made

    def expire_codes(self, *, limit: int = 1000) -> int:
        """Delete link codes that have expired. Returns how many; as many as `limit`: there may be more."""

        def work(connection: Connection) -> int:
            found = list(connection.execute(_EXPIRED_CODES, {"most": limit}).scalars())
            if found:
                connection.execute(_FORGET_CODES, {"digests": found})
            return len(found)

        return self.database.write(work)
