"""Albums: Telegram sends each picture in an update of its own, and says not how many there are.

So the parts are collected in Redis, whichever process they reach, and are one thing when none has come for a
while. Who takes an album holds a lease on it, as with open jobs: of a process that died another takes it up.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.canceling import canceled
from bot.intake import NotNow

Json = dict[str, Any]

#: An album is complete when so many seconds have passed since its last part.
QUIET_SECONDS = 0.8
#: How often it is looked whether one is.
LOOK_SECONDS = 0.2
#: Whoever takes an album has it for so long.
LEASE_SECONDS = 20.0
#: A stop waits so long for those in hand; what is not done by then another process does.
STOP_SECONDS = 10.0
#: How long an album is known after it was dealt with, for parts that come late.
_LATE_SECONDS = 300
_KEEP_SECONDS = 86_400
_AT_ONCE = 20

#: KEYS: parts, due. ARGV: message id, part, quiet seconds, album, seconds to keep it.
_ADD = """
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[5])
local t = redis.call('TIME')
redis.call('ZADD', KEYS[2], string.format('%.6f', t[1] + t[2] / 1000000 + ARGV[3]), ARGV[4])
"""

#: KEYS: due. ARGV: how many, lease seconds -> [album, lease, ...].
_DUE = """
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local found = {}
for _, album in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now),
                                  'LIMIT', 0, ARGV[1])) do
  redis.call('ZADD', KEYS[1], string.format('%.6f', now + ARGV[2]), album)
  table.insert(found, album)
  table.insert(found, redis.call('ZSCORE', KEYS[1], album))
end
return found
"""

#: KEYS: parts, due, done. ARGV: album, lease, seconds to know it, message ids ... -> whether it is gone.
#: A part that came meanwhile stays, and has given the album a new time.
_CLOSE = """
for i = 4, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('SET', KEYS[3], '1', 'EX', ARGV[3])
if redis.call('HLEN', KEYS[1]) > 0 then return 0 end
if redis.call('ZSCORE', KEYS[2], ARGV[1]) == ARGV[2] then redis.call('ZREM', KEYS[2], ARGV[1]) end
return 1
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Album:
    """Updates that belong together, in the order in which they were sent."""

    parts: tuple[Json, ...]
    #: Others of this album were dealt with before.
    is_late: bool


class Albums:
    """The albums of one bot. Every call raises redis.RedisError while Redis is away."""

    def __init__(self, redis: Redis, bot_id: int) -> None:
        self._redis = redis
        self._prefix = f"bot:{bot_id}:album"
        self._add = redis.register_script(_ADD)
        self._due = redis.register_script(_DUE)
        self._close = redis.register_script(_CLOSE)

    async def add(self, chat: int, group: str, message_id: int, update: Json) -> None:
        """Keep a part; done twice it is as done once."""
        album = f"{chat}:{group}"
        await self._add(
            keys=[self._parts(album), self._waiting],
            args=[message_id, json.dumps(update), QUIET_SECONDS, album, _KEEP_SECONDS],
        )

    async def run(self, handle: Callable[[Album], Awaitable[None]]) -> None:
        """Hand over albums as they are complete, until canceled. `handle` may raise NotNow."""
        tasks: set[asyncio.Task[None]] = set()
        try:
            while not canceled():
                try:
                    for album, lease in await self._take():
                        task = asyncio.create_task(self._handle(album, lease, handle))
                        tasks.add(task)
                        task.add_done_callback(tasks.discard)
                except RedisError as error:
                    _log.warning("albums wait: %s", error)
                    await asyncio.sleep(1.0)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            if tasks:
                await asyncio.wait(tasks, timeout=STOP_SECONDS)

    async def _take(self) -> list[tuple[str, str]]:
        found = [_text(one) for one in await self._due(keys=[self._waiting], args=[_AT_ONCE, LEASE_SECONDS])]
        return list(zip(found[::2], found[1::2], strict=True))

    async def _handle(self, album: str, lease: str, handle: Callable[[Album], Awaitable[None]]) -> None:
        try:
            parts = await self._redis.hgetall(self._parts(album))
            ids = sorted((_text(one) for one in parts), key=int)
            by_id = {_text(one): json.loads(part) for one, part in parts.items()}
            if ids:
                late = bool(await self._redis.exists(self._done(album)))
                await handle(Album(tuple(by_id[one] for one in ids), late))
            await self._forget(album, lease, ids)
        except (RedisError, NotNow) as error:
            _log.warning("album %s waits for its lease to end: %s", album, error)

    async def _forget(self, album: str, lease: str, ids: Sequence[str]) -> None:
        keys = [self._parts(album), self._waiting, self._done(album)]
        await self._close(keys=keys, args=[album, lease, _LATE_SECONDS, *ids])

    @property
    def _waiting(self) -> str:
        return f"{self._prefix}s"

    def _parts(self, album: str) -> str:
        return f"{self._prefix}:{album}"

    def _done(self, album: str) -> str:
        return f"{self._prefix}:{album}:done"


def _text(found: bytes | str) -> str:
    return found.decode() if isinstance(found, bytes) else found
