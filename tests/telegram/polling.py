"""Long polling: one poller at a time, the latest wins."""

from __future__ import annotations

import asyncio
import time

from tests.telegram.errors import ApiError, conflict
from tests.telegram.updates import Update, Updates

OTHER = "terminated by other getUpdates request; make sure that only one bot instance is running"


class Polling:
    """Who waits for updates. Lives in the server's loop."""

    def __init__(self, updates: Updates) -> None:
        self._updates = updates
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._turn = object()
        self._why = conflict(OTHER)
        updates.listeners.append(self._added)

    def _added(self) -> None:
        self._loop.call_soon_threadsafe(self._wake.set)

    def end(self, why: ApiError) -> None:
        """Send whoever waits away."""
        self._turn = object()
        self._why = why
        self._wake.set()

    async def wait(self, offset: int, limit: int, timeout: float) -> list[Update]:
        """Updates from the offset on, or none after the time. Raises ApiError (409)."""
        self.end(conflict(OTHER))
        turn = self._turn
        if offset:
            self._updates.confirm(offset)
        until = time.monotonic() + timeout
        while self._turn is turn:
            found = self._updates.pending(limit)
            left = until - time.monotonic()
            if found or left <= 0:
                now = time.monotonic()
                for one in found:
                    one.sent.append(now)
                return found
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), left)
            except TimeoutError:
                continue
        raise self._why
