"""One thread per process that sees jobs change, for all streams and waits of the process together."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import structlog

from jobs.errors import Unavailable

#: Seconds between two looks at the database.
INTERVAL = 0.25
_GONE = -1

_log = structlog.get_logger(__name__)


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


class Watcher:
    """Polls the versions of the watched jobs with one statement and wakes who waits for them."""

    def __init__(self, versions: Callable[[Sequence[str]], Mapping[str, int]]) -> None:
        self._versions = versions
        self._changed = threading.Condition()
        self._watched: Counter[str] = Counter()
        self._seen: dict[str, int] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, job_id: str) -> Iterator[None]:
        """Keep looking at this job meanwhile."""
        with self._changed:
            self._watched[job_id] += 1
            # Started by the first who watches, not in the constructor: a thread does not survive a fork.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._watched[job_id] -= 1
                if not self._watched[job_id]:
                    del self._watched[job_id]
                    self._seen.pop(job_id, None)

    def wait_beyond(self, job_id: str, version: int, timeout: float) -> bool:
        """Wait until a watched job is past `version` or deleted; False after `timeout` seconds."""

        def past() -> bool:
            seen = self._seen.get(job_id, 0)
            return seen > version or seen == _GONE

        with self._changed:
            return self._changed.wait_for(past, timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._watched)
                wanted = list(self._watched)
            try:
                found = self._versions(wanted)
            except Unavailable:
                # The waiters go on waiting: a database that restarts breaks no stream.
                _log.warning("watcher_without_database")
            else:
                with self._changed:
                    # Only those still watched: who left has removed their entry.
                    self._seen.update({i: found.get(i, _GONE) for i in wanted if i in self._watched})
                    self._changed.notify_all()
            threading.Event().wait(INTERVAL)
