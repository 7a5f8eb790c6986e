"""What the bot has to remember, in Redis, so that no process holds what another needs.

Everything lies under `bot:<bot id>:`, as JSON. ADR 12 says what is lost with Redis.
Open jobs and their leases are the other half, `bot.open_jobs`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from redis.exceptions import LockError

from bot.dialogue import Draft
from bot.open_jobs import OpenJobs

Json = dict[str, Any]

_DAY = 86_400
#: Half-filled forms, and updates that were handled: Telegram keeps an update for a day.
DRAFT_SECONDS = _DAY
#: What people set, for as long after the last time as anybody may be away.
_SETTINGS_SECONDS = 400 * _DAY
#: The longest that one update may keep its chat; a process that dies lets go of it after this.
LOCK_SECONDS = 30.0
#: How long an update waits for its turn.
_LOCK_PATIENCE = 20.0

_log = logging.getLogger(__name__)


class ChatBusy(Exception):
    """Another update of this chat has been worked at for too long."""


class Account(BaseModel):
    """Whose jobs a user's are: a guest's owner, or the account the user linked."""

    model_config = ConfigDict(frozen=True)

    key: str = Field(repr=False)
    owner_id: str
    owner: str
    guest: bool


class Notes(OpenJobs):
    """One bot's notes. Every call raises redis.RedisError while Redis is away."""

    async def language(self, user: int) -> str | None:
        """What the user chose to be spoken to in."""
        return _text(await self._redis.get(self._key("language", user)))

    async def set_language(self, user: int, language: str) -> None:
        """Remember the user's choice."""
        await self._redis.set(self._key("language", user), language, ex=_SETTINGS_SECONDS)

    async def settings(self, user: int) -> Json:
        """What the user set for all forms: size, quality."""
        found = await self._redis.get(self._key("settings", user))
        return dict(json.loads(found)) if found is not None else {}

    async def set_settings(self, user: int, settings: Json) -> None:
        """Remember them instead of the ones before."""
        await self._redis.set(self._key("settings", user), json.dumps(settings), ex=_SETTINGS_SECONDS)

    async def account(self, user: int) -> Account | None:
        """The user's account, if there is one yet."""
        found = await self._redis.get(self._key("account", user))
        return Account.model_validate_json(found) if found is not None else None

    async def set_account(self, user: int, account: Account) -> None:
        """For good: a linked account would have to be linked again."""
        await self._redis.set(self._key("account", user), account.model_dump_json())

    async def forget_account(self, user: int) -> None:
        """The user has none any more."""
        await self._redis.delete(self._key("account", user))

    async def draft(self, chat: int, user: int) -> Draft | None:
        """The form that this user fills in in this chat."""
        found = await self._redis.get(self._key("draft", chat, user))
        return Draft.model_validate_json(found) if found is not None else None

    async def save_draft(self, chat: int, user: int, draft: Draft) -> None:
        """Keep it for a day."""
        await self._redis.set(self._key("draft", chat, user), draft.model_dump_json(), ex=DRAFT_SECONDS)

    async def drop_draft(self, chat: int, user: int) -> None:
        """It was sent off, or given up."""
        await self._redis.delete(self._key("draft", chat, user))

    @asynccontextmanager
    async def lock(self, chat: int) -> AsyncIterator[None]:
        """One update of a chat at a time, in all processes. Raises ChatBusy after 20 seconds."""
        lock = self._redis.lock(
            self._key("lock", chat), timeout=LOCK_SECONDS, sleep=0.05, blocking_timeout=_LOCK_PATIENCE
        )
        if not await lock.acquire():
            raise ChatBusy(f"chat {chat} is still busy after {_LOCK_PATIENCE:g} s")
        try:
            yield
        finally:
            try:
                await lock.release()
            except LockError:
                _log.warning("an update of chat %s took longer than its lock", chat)

    async def may_edit(self, chat: int, seconds: float) -> bool:
        """Whether the chat's turn for an edit has come; if so the next one is `seconds` away."""
        return bool(await self._redis.set(self._key("edited", chat), "1", nx=True, px=_ms(seconds)))

    async def edited(self, chat: int, seconds: float) -> None:
        """An edit was made that did not wait for its turn; the next one is `seconds` away."""
        await self._redis.set(self._key("edited", chat), "1", px=_ms(seconds))

    async def pause(self, chat: int, seconds: float) -> None:
        """Telegram wants to hear nothing for this chat so long: neither edits nor results."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            for name in ("edited", "paused"):
                pipeline.set(self._key(name, chat), "1", px=_ms(seconds))
            await pipeline.execute()

    async def paused(self, chat: int) -> float:
        """Seconds that are left of it; 0: go on."""
        return float(max(0, await self._redis.pttl(self._key("paused", chat)))) / 1000


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _text(found: bytes | str | None) -> str | None:
    return found.decode() if isinstance(found, bytes) else found
