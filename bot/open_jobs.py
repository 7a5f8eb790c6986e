"""The jobs whose end somebody waits for in a chat, shared by all processes of a bot.

A sorted set holds the time when each is to be looked at. Taking a job puts its time a lease into the future,
so that nobody else takes it meanwhile; of a process that died the lease simply ends. The time itself is the
token of the lease: who lost it changes nothing any more. Times are Redis's own, so clocks need not agree.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis

#: How long the parts of a result that were sent are known, should their job never be closed.
_PARTS_SECONDS = 60 * 86_400
#: So long an update that comes twice opens no job anew; Telegram keeps updates for a day.
_CLOSED_SECONDS = 86_400

#: KEYS: the set, the notes. ARGV: how many, lease seconds -> [id, lease, note, ...]. A job without its note
#: leaves the set.
_DUE = """
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now), 'LIMIT', 0, ARGV[1])
local found = {}
local lease = string.format('%.6f', now + tonumber(ARGV[2]))
for _, id in ipairs(ids) do
  local note = redis.call('HGET', KEYS[2], id)
  if note then
    redis.call('ZADD', KEYS[1], lease, id)
    table.insert(found, id)
    table.insert(found, redis.call('ZSCORE', KEYS[1], id))
    table.insert(found, note)
  else
    redis.call('ZREM', KEYS[1], id)
  end
end
return found
"""

#: KEYS: the set, the notes. ARGV: id, lease, seconds from now, note or '', grid or 0 -> new lease; nil: lost.
_MOVE = """
if redis.call('ZSCORE', KEYS[1], ARGV[1]) ~= ARGV[2] then return nil end
local t = redis.call('TIME')
local at = tonumber(t[1]) + tonumber(t[2]) / 1000000 + tonumber(ARGV[3])
local grid = tonumber(ARGV[5])
if grid > 0 then at = math.ceil(at / grid) * grid end
redis.call('ZADD', KEYS[1], string.format('%.6f', at), ARGV[1])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[2], ARGV[1], ARGV[4]) end
return redis.call('ZSCORE', KEYS[1], ARGV[1])
"""

#: KEYS: the set, the notes, the delivered parts, the mark of a closed job.
#: ARGV: id, lease, seconds to keep the mark. -> whether the lease still held.
_CLOSE = """
if redis.call('ZSCORE', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[3])
redis.call('SET', KEYS[4], '1', 'EX', ARGV[3])
return 1
"""

#: KEYS: as above. ARGV: id, note, 1 to open a closed job. A job that is open keeps its note and its lease.
_OPEN = """
if ARGV[3] == '1' then redis.call('DEL', KEYS[4]) end
if redis.call('EXISTS', KEYS[4]) == 1 then return 0 end
if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('ZADD', KEYS[1], redis.call('TIME')[1], ARGV[1])
return 1
"""


class JobNote(BaseModel):
    """The message that shows a job, and what it shows."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    chat_id: int
    user_id: int
    #: Where the job is shown; the picture will be there, too.
    message_id: int
    engine: str
    language: str
    #: The Idempotency-Key it was submitted with.
    update_key: str = ""
    #: The message has a picture already, so that its text is a caption.
    is_photo: bool = False
    #: The message that asked for it: further files are sent as answers to it.
    reply_to: int | None = None
    #: The topic of a forum.
    thread_id: int | None = None
    #: When it was last edited; of a chat's jobs the one that waits longest has the next turn.
    shown_at: float = 0.0
    #: A hash of the text and buttons that are shown, so that nothing is edited into itself.
    shown: str = ""
    #: A hash of the preview that is shown, and the version of the job it was looked at for.
    preview: str = ""
    version: int = 0
    #: How often Telegram did not take the end.
    failures: int = 0
    created_at: float = Field(default_factory=time.time)


@dataclass
class Taken:
    """A job that this process looks after until its lease ends."""

    note: JobNote
    lease: str = field(repr=False)
    #: It was put back or closed; what still renews the lease has nothing to do any more.
    let_go: bool = False
    #: Whoever renews the lease and whoever puts the job back are two tasks and have one token.
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)


class OpenJobs:
    """The open jobs of one bot. Every call raises redis.RedisError while Redis is away."""

    def __init__(self, redis: Redis, bot_id: int) -> None:
        self._redis = redis
        self._prefix = f"bot:{bot_id}:"
        self._keys = [self._key("due"), self._key("jobs")]
        self._due = redis.register_script(_DUE)
        self._move = redis.register_script(_MOVE)
        self._close = redis.register_script(_CLOSE)
        self._open = redis.register_script(_OPEN)

    async def open_job(self, note: JobNote, *, again: bool = False) -> bool:
        """Show this job from now on; False: it is shown already, or was delivered within the last day.

        With `again` one that was delivered is delivered anew, into this note's message.
        """
        args: list[str | int] = [note.job_id, note.model_dump_json(), int(again)]
        return bool(await self._open(keys=self._all_keys(note.job_id), args=args))

    async def note(self, job_id: str) -> JobNote | None:
        """Where an open job is shown."""
        found = await self._redis.hget(self._keys[1], job_id)
        return JobNote.model_validate_json(found) if found is not None else None

    async def due(self, limit: int, lease_seconds: float) -> list[Taken]:
        """Take up to `limit` jobs whose time has come; nobody else gets them for `lease_seconds`."""
        found = await self._due(keys=self._keys, args=[limit, lease_seconds])
        return [
            Taken(JobNote.model_validate_json(note), _text(lease))
            for _, lease, note in zip(found[::3], found[1::3], found[2::3], strict=True)
        ]

    async def keep(self, taken: Taken, lease_seconds: float) -> bool:
        """Make the lease longer, unless the job was let go; False: it was lost."""
        async with taken.lock:
            return taken.let_go or await self._moved(taken, lease_seconds, "")

    async def put_back(
        self, taken: Taken, after_seconds: float, note: JobNote | None = None, *, grid: float = 0.0
    ) -> bool:
        """To be looked at again then, with this note; False: the lease was lost, nothing changed.

        With a `grid` at the next multiple of so many seconds, so that all jobs are looked at together.
        """
        async with taken.lock:
            taken.let_go = True
            return await self._moved(taken, after_seconds, note.model_dump_json() if note else "", grid)

    async def put_all_back(self, taken: Iterable[Taken], after_seconds: float, grid: float = 0.0) -> None:
        """The same for many, in one round trip."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for one in taken:
                await self._move(
                    keys=self._keys,
                    args=[one.note.job_id, one.lease, after_seconds, "", grid],
                    client=pipeline,
                )
            await pipeline.execute()

    async def closed(self, taken: Taken) -> bool:
        """Everything is delivered, or cannot be; False: the lease was lost."""
        async with taken.lock:
            taken.let_go = True
            args: list[str | int] = [taken.note.job_id, taken.lease, _CLOSED_SECONDS]
            return bool(await self._close(keys=self._all_keys(taken.note.job_id), args=args))

    async def delivered(self, job_id: str) -> frozenset[str]:
        """The parts of a result that were sent."""
        return frozenset(_text(part) for part in await self._redis.smembers(self._delivered(job_id)))

    async def mark_delivered(self, job_id: str, part: str) -> None:
        """This part was sent."""
        key = self._delivered(job_id)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.sadd(key, part)
            pipeline.expire(key, _PARTS_SECONDS)
            await pipeline.execute()

    async def open_count(self) -> int:
        """How many jobs are open."""
        return int(await self._redis.zcard(self._keys[0]))

    async def _moved(self, taken: Taken, seconds: float, note: str, grid: float = 0.0) -> bool:
        args: list[str | float] = [taken.note.job_id, taken.lease, seconds, note, grid]
        lease = await self._move(keys=self._keys, args=args)
        if lease is None:
            return False
        taken.lease = _text(lease)
        return True

    def _all_keys(self, job_id: str) -> list[str]:
        return [*self._keys, self._delivered(job_id), self._key("closed", job_id)]

    def _delivered(self, job_id: str) -> str:
        return self._key("delivered", job_id)

    def _key(self, *parts: object) -> str:
        return self._prefix + ":".join(str(part) for part in parts)


def _text(found: bytes | str) -> str:
    return found.decode() if isinstance(found, bytes) else found
