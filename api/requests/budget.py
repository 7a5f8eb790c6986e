"""The bytes that requests of this process may take into memory at once, beyond what every request takes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from jobs.errors import Unavailable

#: How long a request waits for room. It holds a thread meanwhile.
PATIENCE = 8.0
#: When who found none is told to come back: decoding takes a second or two.
RETRY_SECONDS = 2
#: What a process takes besides its budget: Python and the house (100 MiB), small bodies, buffers, and what
#: the allocator keeps.
PROCESS_BYTES = 256 * 1024 * 1024


class Budget:
    """Bytes that are taken and given back, in the order in which they were asked for.

    One owner may hold three quarters, so that there is always room for somebody else's. Who waits for bytes
    that others of the same owner hold stands in nobody else's way.
    """

    def __init__(self, total: int, patience: float = PATIENCE) -> None:
        self._total = total
        #: What one owner may hold, and so the most that one request can ever have.
        self.share = total * 3 // 4
        self._patience = patience
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()
        self._line: list[_Waiting] = []

    @contextmanager
    def take(self, owner_id: str, size: int) -> Iterator[None]:
        """Hold so many bytes, at most `share`, meanwhile. Raises Unavailable."""
        if size > self.share:
            raise ValueError(f"{size} bytes can never be had: an owner may hold {self.share}")
        self._wait(_Waiting(owner_id, size))
        try:
            yield
        finally:
            with self._lock:
                self._held[owner_id] -= size
                if not self._held[owner_id]:
                    del self._held[owner_id]
                self._let_in()

    def _wait(self, wanted: _Waiting) -> None:
        with self._lock:
            self._line.append(wanted)
            self._let_in()
        if wanted.in_.wait(self._patience):
            return
        with self._lock:
            if wanted.in_.is_set():
                return  # just now
            self._line.remove(wanted)
            self._let_in()  # those behind it may fit
        raise Unavailable(
            "Too many large files are being looked at; nothing was accepted. Try again in a moment.",
            code="busy",
            retry_after=RETRY_SECONDS,
        )

    def _let_in(self) -> None:
        """Let in who is first, and next, as long as there is room. Under the lock."""
        full: set[str] = set()
        for wanted in list(self._line):
            if wanted.owner_id in full:
                continue
            if self._held.get(wanted.owner_id, 0) + wanted.size > self.share:
                full.add(wanted.owner_id)
                continue
            if self._held.total() + wanted.size > self._total:
                return  # whoever is smaller and came later waits too, or the large would wait for ever
            self._line.remove(wanted)
            self._held[wanted.owner_id] += wanted.size
            wanted.in_.set()


class _Waiting:
    """One request for bytes."""

    def __init__(self, owner_id: str, size: int) -> None:
        self.owner_id = owner_id
        self.size = size
        self.in_ = threading.Event()
