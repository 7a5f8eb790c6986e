"""What an owner may have at once: their limits, and whether one more job of theirs may wait.

Counting up to 20,000 rows at every request would cost more than accepting it. So a process remembers an
owner's last count, adds what it has let through since, and counts again when that is a sixteenth of the room
there was, or ten seconds later; near the cap it counts each time. One process is therefore exact, but for
requests it answers at that very moment. Each further process may let through, unseen by the others, a
sixteenth of the room it found when it counted last: with P processes and a cap C at most (P - 1) * C/16 jobs
too many wait, plus the requests under way. Nobody is refused by a count that is older than a second.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from accounts.limits import Limits, limits_of
from accounts.store import AccountStore
from jobs.errors import NotFound, TooManyQueued
from jobs.store import JobStore

V = TypeVar("V")

#: A count serves for this part of the room it found.
PART = 16
#: And for so many seconds; one that found no room, for fewer.
TTL = 10.0
FULL_TTL = 1.0
#: Owners remembered.
CAPACITY = 10_000
#: What a refused client is told to wait, where no job of theirs has ended, and at most.
RETRY_SECONDS = 30
MOST_RETRY_SECONDS = 300


@dataclass
class _Count:
    """What was found when an owner's jobs were counted, and what became of the room since."""

    until: float
    cap: int
    #: Jobs that may be let through before the next count.
    left: int
    retry_after: int = 0


class Quota:
    """Owners counted lately. Shared by the threads of one process."""

    def __init__(
        self, store: JobStore, accounts: AccountStore, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._limits: OrderedDict[str, tuple[float, Limits]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, owner_id: str) -> None:
        """Call it before a job of this owner is accepted. Raises TooManyQueued with the seconds to wait."""
        with self._lock:
            before = self._counts.get(owner_id)
            count = before if before is not None and before.until > self._clock() else None
            if count is not None and count.left:
                count.left -= 1
                return
        if count is None or not count.retry_after:
            count = self._count(owner_id, before)
        if count.retry_after:
            raise TooManyQueued(
                f"{count.cap:,} of your jobs may wait at once, and they do.", retry_after=count.retry_after
            )

    def limits(self, owner_id: str) -> Limits:
        """An owner's limits, at most TTL seconds old. Raises NotFound."""
        with self._lock:
            until, found = self._limits.get(owner_id, (0.0, None))
        if found is None or until <= self._clock():
            found = limits_of(self._accounts.owner(owner_id))
            with self._lock:
                _remember(self._limits, owner_id, (self._clock() + TTL, found))
        return found

    def forget(self, owner_id: str) -> None:
        """Look an owner's limits up again; called when they were changed here."""
        with self._lock:
            self._limits.pop(owner_id, None)
            self._counts.pop(owner_id, None)

    def _count(self, owner_id: str, before: _Count | None) -> _Count:
        """Count anew, for the request that asks and for those after it."""
        try:
            cap = self.limits(owner_id).max_queued
        except NotFound:
            cap = 0  # the submission itself will find out
        room = cap - self._store.waiting(owner_id, cap) if cap else PART * 1_000_000
        now = self._clock()
        if room > 0:
            made = _Count(now + TTL, cap, left=max(room // PART, 1) - 1)
        else:
            made = _Count(now + FULL_TTL, cap, left=0, retry_after=self._retry_after(owner_id))
        with self._lock:
            # A count that took longer than another thread's is the older one.
            if self._counts.get(owner_id) is before:
                _remember(self._counts, owner_id, made)
        return made

    def _retry_after(self, owner_id: str) -> int:
        """When, going by their last jobs, the next one will have ended."""
        seconds = self._store.seconds_between_ends(owner_id)
        if seconds is None:
            return RETRY_SECONDS
        return min(max(math.ceil(seconds), 1), MOST_RETRY_SECONDS)


def _remember(known: OrderedDict[str, V], owner_id: str, value: V) -> None:
    known[owner_id] = value
    known.move_to_end(owner_id)
    while len(known) > CAPACITY:
        known.popitem(last=False)
