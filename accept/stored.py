"""How many bytes an owner stores here, and whether there is room for more: asked of uploads and of jobs.

Results count, but are never refused: a job that was accepted is made and kept, whatever its owner's others
have taken meanwhile.

Adding up thousands of rows at every request would cost more than the request. So a process remembers an
owner's last sum and adds what it lets in. It adds up anew after a minute, when it has let in a sixteenth of
the room it found, and before it refuses anything on the word of a sum that is older than a second.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from accept.quota import Quota
from jobs.errors import NotFound, TooMuchStored
from jobs.files import FileStore

#: Seconds that a sum serves, and one by which somebody would be refused.
TTL = 60.0
FULL_TTL = 1.0
#: And for this part of the room it found.
PART = 16
#: Owners remembered.
CAPACITY = 10_000


@dataclass
class _Sum:
    """What was found, and what was let in since."""

    at: float
    found: int
    since: int = 0

    @property
    def used(self) -> int:
        return self.found + self.since


class Stored:
    """Owners whose bytes were added up lately. Shared by the threads of one process."""

    def __init__(self, files: FileStore, quota: Quota, clock: Callable[[], float] = time.monotonic) -> None:
        self._files = files
        self._quota = quota
        self._clock = clock
        self._lock = threading.Lock()
        self._sums: OrderedDict[str, _Sum] = OrderedDict()

    def check(self, owner_id: str, size: int = 0) -> None:
        """Call it before bytes of this owner are stored, or a job is accepted. Raises TooMuchStored."""
        try:
            allowed = self._quota.limits(owner_id).max_stored_bytes
        except NotFound:
            return  # the request itself will find out
        if not allowed:
            return
        found = self._sum(owner_id, TTL)
        if found.since > max(allowed - found.found, 0) // PART or not _fits(found, size, allowed):
            found = self._sum(owner_id, FULL_TTL)
        if not _fits(found, size, allowed):
            more = f", and this is {size:,} more" if size else ""
            raise TooMuchStored(
                f"You store {found.used:,} bytes of the {allowed:,} that you may{more}. Delete results or "
                "files that you no longer need, or ask the operator for more room.",
                used=found.used,
                allowed=allowed,
            )
        with self._lock:
            found.since += size

    def used(self, owner_id: str) -> int:
        """Bytes this owner stores, at most FULL_TTL seconds old."""
        return self._sum(owner_id, FULL_TTL).used

    def _sum(self, owner_id: str, ttl: float) -> _Sum:
        with self._lock:
            before = self._sums.get(owner_id)
        if before is not None and self._clock() - before.at < ttl:
            return before
        made = _Sum(self._clock(), self._files.stored_bytes(owner_id))
        with self._lock:
            self._sums[owner_id] = made
            self._sums.move_to_end(owner_id)
            while len(self._sums) > CAPACITY:
                self._sums.popitem(last=False)
        return made


def size_of(stream: BinaryIO) -> int:
    """The bytes of a stream that can seek; leaves it at its beginning."""
    size = stream.seek(0, 2)
    stream.seek(0)
    return size


def _fits(found: _Sum, size: int, allowed: int) -> bool:
    # Without bytes of its own it is a job, whose results have to go somewhere.
    return found.used + size <= allowed and found.used < allowed
