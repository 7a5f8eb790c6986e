"""Who a bearer key belongs to, remembered for a few seconds so that a request costs no SQL for it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from accounts.keys import digest
from accounts.store import AccountStore
from jobs.rows import KeyRow

#: Seconds a revoked key may still work in processes other than the one that revoked it.
TTL = 3.0
#: Keys remembered, wrong ones too: a flood of made-up keys costs no more memory than this.
CAPACITY = 10_000


@dataclass(frozen=True)
class Caller:
    """The owner behind a request, as the key describes them."""

    key_id: str
    user_id: str
    key_name: str
    prefix: str
    admin: bool
    rate_per_minute: int | None
    max_upload_bytes: int | None


class Keyring:
    """Keys looked up lately. Shared by the threads of one process."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts
        self._known: OrderedDict[str, tuple[float, Caller | None]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: str) -> Caller | None:
        """The caller with this key, or None. Raises Unavailable."""
        # By digest: the keys themselves do not stay in this process's memory.
        return self._remembered(digest(key), lambda: self._accounts.authenticate(key))

    def by_id(self, key_id: str) -> Caller | None:
        """The caller whose key has this id, or None once it was revoked. Raises Unavailable."""
        return self._remembered(key_id, lambda: self._accounts.live_key(key_id))

    def _remembered(self, name: str, look_up: Callable[[], KeyRow | None]) -> Caller | None:
        now = time.monotonic()
        with self._lock:
            until, caller = self._known.get(name, (0.0, None))
        if until > now:
            return caller
        caller = _caller(look_up())
        with self._lock:
            self._known[name] = (now + TTL, caller)
            self._known.move_to_end(name)
            while len(self._known) > CAPACITY:
                self._known.popitem(last=False)
        return caller

    def forget(self) -> None:
        """Look every key up again; called when one was revoked here."""
        with self._lock:
            self._known.clear()


def _caller(row: KeyRow | None) -> Caller | None:
    if row is None:
        return None
    return Caller(
        key_id=row.id,
        user_id=row.user_id,
        key_name=row.name,
        prefix=row.prefix,
        admin=row.admin,
        rate_per_minute=row.rate_per_minute,
        max_upload_bytes=row.max_upload_bytes,
    )
