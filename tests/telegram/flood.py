"""How much a bot may send (https://core.telegram.org/bots/faq): then 429 with `retry_after`.

The real limits are soft. Here they are hard, so that a test sees the same each time.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass

from tests.telegram.errors import too_many

MINUTE = 60.0


@dataclass(frozen=True)
class Limits:
    """Rates in messages a second, and how many may come at once. An edit counts as a message."""

    chat_rate: float = 1.0
    chat_burst: int = 3
    overall_rate: float = 30.0
    overall_burst: int = 30
    group_per_minute: int = 20


#: For tests that are about something else.
NO_LIMITS = Limits(1e6, 10**6, 1e6, 10**6, 10**6)


class Bucket:
    """Tokens that come back at a rate. What is taken may go into debt: the next one waits for it."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self.tokens = float(burst)
        self.at = time.monotonic()

    def wait(self, now: float) -> float:
        """Seconds until one may be taken."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        return max(0.0, (1 - self.tokens) / self.rate)


class Flood:
    """The count of what was sent. Used by the server's thread alone."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._overall = Bucket(limits.overall_rate, limits.overall_burst)
        self._chats: dict[int, Bucket] = {}
        self._minutes: dict[int, deque[float]] = {}

    def count(self, chat_id: int, messages: int = 1) -> None:
        """Count what is about to be sent. Raises ApiError (429); then nothing was counted.

        An album is one for the chat's own rate, and as many as it has for the others.
        """
        now = time.monotonic()
        limits = self.limits
        chat = self._chats.setdefault(chat_id, Bucket(limits.chat_rate, limits.chat_burst))
        minute = self._minutes.setdefault(chat_id, deque())
        while minute and now - minute[0] >= MINUTE:
            minute.popleft()
        wait = max(chat.wait(now), self._overall.wait(now))
        if chat_id < 0 and len(minute) + messages > limits.group_per_minute and minute:
            wait = max(wait, minute[0] + MINUTE - now)
        if wait > 1e-6:
            raise too_many(max(1, math.ceil(wait)))
        chat.tokens -= 1
        self._overall.tokens -= messages
        minute.extend([now] * messages)
