"""Which updates were dealt with, for all processes of a bot: each one is handled once, and none is lost.

Telegram sends an update again until it hears that it arrived, and we say so only when it was handled.
Meanwhile whoever handles it holds a lease: of a process that died the lease ends, and the update is handled
when it comes again.
"""

from __future__ import annotations

import asyncio
import logging
from enum import Enum

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.canceling import canceled

#: Renewed while the update is handled.
LEASE_SECONDS = 20.0
_RENEW_SECONDS = 6.0
#: Telegram keeps an update for a day.
_KNOWN_SECONDS = 86_400
#: So often an update is tried that cannot be handled, before it is given up.
MOST_TRIES = 8

_DONE, _HELD = b"done", b"held"

#: KEYS: the update. ARGV: held, milliseconds. What was finished meanwhile stays known for its day.
_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
"""

_log = logging.getLogger(__name__)


class Taken(Enum):
    """What `Inbox.take` found."""

    OURS = "ours"
    #: Another process, or an earlier delivery, is at it: it has to come again.
    BUSY = "busy"
    DONE = "done"


class Inbox:
    """The updates of one bot. Every call raises redis.RedisError while Redis is away."""

    def __init__(self, redis: Redis, bot_id: int) -> None:
        self._redis = redis
        self._prefix = f"bot:{bot_id}:inbox:"
        self._held: set[int] = set()
        self._renew = redis.register_script(_RENEW)

    async def take(self, update_id: int) -> Taken:
        """Begin with an update, if nobody has."""
        if await self._redis.set(self._key(update_id), _HELD, nx=True, px=round(LEASE_SECONDS * 1000)):
            self._held.add(update_id)
            return Taken.OURS
        return Taken.DONE if await self._redis.get(self._key(update_id)) == _DONE else Taken.BUSY

    async def done(self, update_id: int) -> None:
        """It was handled: however often it comes, nothing happens any more."""
        self._held.discard(update_id)
        await self._redis.set(self._key(update_id), _DONE, ex=_KNOWN_SECONDS)

    async def give_back(self, update_id: int) -> bool:
        """It could not be handled now. False: it was tried often enough, and will not be again."""
        self._held.discard(update_id)
        tries = self._key(update_id) + ":tries"
        count = int(await self._redis.incr(tries))
        await self._redis.expire(tries, _KNOWN_SECONDS)
        if count >= MOST_TRIES:
            await self.done(update_id)
            return False
        await self._redis.delete(self._key(update_id))
        return True

    async def renew(self) -> None:
        """Keep the leases of what this process has in hand, until canceled."""
        while not canceled():
            await asyncio.sleep(_RENEW_SECONDS)
            held = list(self._held)
            try:
                for update_id in held:
                    await self._renew(keys=[self._key(update_id)], args=[_HELD, round(LEASE_SECONDS * 1000)])
            except RedisError as error:
                _log.warning("leases of %d updates could not be renewed: %s", len(held), error)

    def _key(self, update_id: int) -> str:
        return f"{self._prefix}{update_id}"
