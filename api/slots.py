"""How many requests of this process may be held open at once: event streams and `?wait`s."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial


class Slots:
    """How many requests of this process may be held open at once, and half as many for one key."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()
        #: Set when the process is about to end: streams finish, and their clients resume elsewhere.
        self.closing = threading.Event()

    def take(self, key_id: str) -> Slot | None:
        """A slot to be released, or None when all are taken, or all that this key may have."""
        with self._lock:
            full = self._held.total() >= self._count or self._held[key_id] >= max(1, self._count // 2)
            if full or self.closing.is_set():
                return None
            self._held[key_id] += 1
        return Slot(partial(self._give_back, key_id))

    def _give_back(self, key_id: str) -> None:
        with self._lock:
            self._held[key_id] -= 1
            if not self._held[key_id]:
                del self._held[key_id]


class Slot:
    """One place among the Slots; releasing it twice is releasing it once."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release: Callable[[], None] | None = release

    def release(self) -> None:
        """Give the place back."""
        release, self._release = self._release, None
        if release is not None:
            release()
