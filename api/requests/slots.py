"""Places of this process that requests may hold, and how many of them one owner may.

There are two kinds: event streams and `?wait`s, which are held open, and requests that may be long, because
their body comes slowly, what is to be done with it takes a while, or their answer is taken slowly. Each holds
a thread of the server.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial


class Slots:
    """So many places, and for one owner so many of them."""

    def __init__(self, count: int, each: int) -> None:
        self._count = count
        self._each = each
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()
        #: Set when the process is about to end: streams finish, and their clients resume elsewhere.
        self.closing = threading.Event()

    def take(self, owner_id: str) -> Slot | None:
        """A slot to be released, or None when all are taken, or all that this owner may have."""
        with self._lock:
            full = self._held.total() >= self._count or self._held.get(owner_id, 0) >= self._each
            if full or self.closing.is_set():
                return None
            self._held[owner_id] += 1
        return Slot(partial(self._give_back, owner_id))

    def has_all(self, owner_id: str) -> bool:
        """Whether this owner holds as many as one may."""
        with self._lock:
            return self._held.get(owner_id, 0) >= self._each

    def _give_back(self, owner_id: str) -> None:
        with self._lock:
            self._held[owner_id] -= 1
            if not self._held[owner_id]:
                del self._held[owner_id]


class Slot:
    """One place among the Slots; releasing it twice is releasing it once."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release: Callable[[], None] | None = release

    def release(self) -> None:
        """Give the place back."""
        release, self._release = self._release, None
        if release is not None:
            release()
