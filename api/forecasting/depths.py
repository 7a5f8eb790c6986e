"""Which backlogs are deep: a job that joins one of them stands at MAX_POSITION or later, uncounted."""

from __future__ import annotations

import threading
import time

from jobs.states import Hold
from jobs.store import MAX_POSITION, JobRow, JobStore

#: Seconds for which a backlog that was counted is taken to be as deep as it was.
FRESH = 1.0
#: Backlogs remembered.
CAPACITY = 1000

#: An owner's jobs of a queue and priority.
_Flow = tuple[str, str, int]


class Depths:
    """Where new jobs stand. Shared by the threads of one process.

    To count to MAX_POSITION takes PostgreSQL a third of what it does for a submission, and who sends a
    thousand jobs would have it done for each of them.
    """

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self._deep_until: dict[_Flow, float] = {}
        self._lock = threading.Lock()

    def position(self, new: JobRow) -> int | None:
        """`JobStore.position` of a job that was accepted just now: no other of its flow is behind it."""
        flow, now = (new.owner_id, new.queue, new.priority), time.monotonic()
        behind = new.hold == Hold.BEHIND
        if behind and self._deep_until.get(flow, 0.0) > now:
            return MAX_POSITION
        found = self._jobs.position(new)
        if behind and found == MAX_POSITION:
            with self._lock:
                if len(self._deep_until) >= CAPACITY:
                    self._deep_until.clear()
                self._deep_until[flow] = now + FRESH
        return found
