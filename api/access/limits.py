"""Requests a minute of each owner: counted in Redis for all processes, in memory while Redis is away.

All keys of an owner count together; each key's own limit is what it may find counted when it asks.

A process takes a second's worth of requests at a time, so a busy owner costs a round trip a second and not
one each. Redis is a convenience here, never a dependency: a Redis that is down or frozen costs one request
`_TIMEOUT` seconds every `_RETRY_SECONDS`, and no request fails for it.
"""

from __future__ import annotations

import math
import threading
import time

import structlog
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import RateLimiter as Strategy
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

from jobs.errors import RateLimited

_TIMEOUT = 0.25
_RETRY_SECONDS = 5.0

_log = structlog.get_logger(__name__)


class _Counted(RateLimitItemPerMinute):
    """A limit whose count is the same for every limit: the owner's."""

    def key_for(self, *identifiers: bytes | str | int | float) -> str:
        return "/".join(map(str, (self.namespace, *identifiers)))


class Limiter:
    """A sliding minute for each owner. Nothing connects before the first request."""

    def __init__(self, default_per_minute: int, url: str) -> None:
        self._default = default_per_minute
        self._url = url if url.startswith(("redis://", "rediss://", "unix://")) else None
        self._lock = threading.Lock()
        #: Requests already taken from an owner's minute, under this limit, and not used yet.
        self._taken: dict[tuple[str, int], int] = {}
        self._shared: Strategy | None = None
        self._local: Strategy | None = None
        self._retry_at = 0.0

    def hit(self, owner_id: str, per_minute: int | None) -> None:
        """Count one request of this owner, whose key may send so many. Raises RateLimited, with the wait."""
        allowed = self._default if per_minute is None else per_minute
        if allowed <= 0:
            return
        if self._use_one((owner_id, allowed)):
            return
        limit = _Counted(allowed)
        if self._url is not None and self._may_try():
            try:
                self._count(self._redis(self._url), limit, owner_id)
                self._retry_at = 0.0
                return
            except RedisError as error:
                self._retry_at = time.monotonic() + _RETRY_SECONDS
                _log.warning("rate_limiter_local", error=type(error).__name__)
        self._count(self._memory(), limit, owner_id)

    def _may_try(self) -> bool:
        if self._retry_at == 0.0:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._retry_at:
                return False
            self._retry_at = now + _RETRY_SECONDS  # the others stay local while this one tries
            return True

    def _use_one(self, key: tuple[str, int]) -> bool:
        with self._lock:
            left = self._taken.get(key, 0)
            if left:
                self._taken[key] = left - 1
            return left > 0

    def _count(self, strategy: Strategy, limit: RateLimitItemPerMinute, owner_id: str) -> None:
        several = limit.amount // 60
        if several > 1 and strategy.hit(limit, owner_id, cost=several):
            with self._lock:
                key = (owner_id, limit.amount)
                self._taken[key] = self._taken.get(key, 0) + several - 1
            return
        if strategy.hit(limit, owner_id):
            return
        wait = max(1, math.ceil(strategy.get_window_stats(limit, owner_id).reset_time - time.time()))
        raise RateLimited(f"This key may send {limit.amount} requests a minute.", retry_after=wait)

    def _redis(self, url: str) -> Strategy:
        with self._lock:
            if self._shared is None:
                storage = RedisStorage(
                    url,
                    key_prefix="atelier:rate",
                    socket_timeout=_TIMEOUT,
                    socket_connect_timeout=_TIMEOUT,
                    retry=None,  # type: ignore[arg-type]  # passed on to redis-py: no second try
                )
                self._shared = SlidingWindowCounterRateLimiter(storage)
            return self._shared

    def _memory(self) -> Strategy:
        with self._lock:
            if self._local is None:
                self._local = SlidingWindowCounterRateLimiter(MemoryStorage())
            return self._local
