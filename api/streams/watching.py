"""One thread per process that sees jobs change, for all streams and waits of the process together.

A stream or wait holds a thread of the server, which sleeps until its own job has news.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from jobs.errors import Unavailable
from jobs.store import Facts, JobStore

#: Seconds between two looks at the database.
INTERVAL = 0.25
#: Seconds between two looks at whether the keys of those who watch are still good.
KEYS_INTERVAL = 2.0
#: Who comes within this time is asked for together: the streams of a process that ended come all at once.
GATHER = 0.02

_log = structlog.get_logger(__name__)


class Watch:
    """What one request knows of its job. It waits in its own thread and is told from others."""

    def __init__(self, key_id: str) -> None:
        #: Whose news these are: they end when this key is revoked.
        self.key_id = key_id
        #: The newest that is known; None before the first look.
        self.facts: Facts | None = None
        #: The job was deleted.
        self.deleted = False
        #: There is nobody left to tell.
        self.over = False
        self._told = threading.Event()

    def wait(self, seconds: float) -> bool:
        """Wait for news; False when there were none for that long."""
        told = self._told.wait(seconds)
        if told:
            # Before the news are read: what comes in between is told again, not lost.
            self._told.clear()
        return told

    def tell(self, facts: Facts | None) -> None:
        """There are news: these, or that the job was deleted."""
        if facts is None:
            self.deleted = True
        else:
            self.facts = facts
        self._told.set()

    def end(self) -> None:
        """There is nobody left to tell."""
        self.over = True
        self._told.set()


@dataclass
class _Followed:
    watches: set[Watch] = field(default_factory=set)
    facts: Facts | None = None

    @property
    def version(self) -> int | None:
        return self.facts.row.version if self.facts else None


class Watcher:
    """Asks for the versions of all watched jobs together, and wakes those whose own job has changed."""

    def __init__(self, jobs: JobStore, valid: Callable[[Collection[str]], set[str]]) -> None:
        self._jobs = jobs
        #: Which of these keys are not revoked.
        self._valid = valid
        self._keys_due = 0.0
        self._lock = threading.Lock()
        self._followed: dict[str, _Followed] = {}
        #: Set when there is a job that was not looked at yet.
        self._come = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, job_id: str, key_id: str) -> Iterator[Watch]:
        """Keep looking at this job meanwhile, while the key is good. What is known of it is told first."""
        watch = Watch(key_id)
        with self._lock:
            followed = self._followed.setdefault(job_id, _Followed())
            followed.watches.add(watch)
            if followed.facts is not None:
                watch.tell(followed.facts)
            # Started by the first who watches, not in the constructor: a thread does not survive a fork.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
                self._thread.start()
        self._come.set()
        try:
            yield watch
        finally:
            with self._lock:
                followed.watches.discard(watch)
                if not followed.watches:
                    del self._followed[job_id]

    def _run(self) -> None:
        due = 0.0
        while True:
            if self._come.wait(max(0.0, due - time.monotonic()) if self._followed else None):
                time.sleep(GATHER)
                self._come.clear()
            everybody = time.monotonic() >= due
            try:
                # Before the news: a key that was revoked gets none of them.
                self._look_at_keys()
                self._look(everybody)
            except (Unavailable, SQLAlchemyError) as error:
                # Who waits goes on waiting: a database that restarts breaks no stream.
                _log.warning("watcher_without_database", error=str(error))
                everybody = True
            if everybody:
                due = time.monotonic() + INTERVAL

    def _look_at_keys(self) -> None:
        """End the watches of keys that were revoked: one statement for all of them, every few seconds."""
        if time.monotonic() < self._keys_due:
            return
        with self._lock:
            watches = [watch for followed in self._followed.values() for watch in followed.watches]
        keys = {watch.key_id for watch in watches}
        revoked = keys - self._valid(keys) if keys else set()
        for watch in watches:
            if watch.key_id in revoked:
                watch.end()
        self._keys_due = time.monotonic() + KEYS_INTERVAL

    def _look(self, everybody: bool) -> None:
        """Tell what changed, of all jobs or of those that were not looked at yet."""
        with self._lock:
            known = {i: f.version for i, f in self._followed.items() if everybody or f.facts is None}
        versions = self._jobs.versions(i for i, version in known.items() if version is not None)
        changed = [i for i, version in known.items() if version is None or versions.get(i) != version]
        found = self._jobs.facts(changed)
        with self._lock:
            for job_id in changed:
                if followed := self._followed.get(job_id):
                    followed.facts = found.get(job_id)
                    for watch in followed.watches:
                        watch.tell(followed.facts)
