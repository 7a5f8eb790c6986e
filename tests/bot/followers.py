"""Processes of the bot, as far as they follow jobs, over Telegram and an API that a test plays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from telegram import Bot

from bot.following import Follower
from bot.notes import Notes
from bot.open_jobs import JobNote
from bot.sending import Sender
from tests.bot.conftest import BOT_ID
from tests.bot.jobs import png
from tests.bot.scripted import ScriptedApi
from tests.bot.test_sending import png as picture
from tests.patience import PATIENCE
from tests.telegram.people import User
from tests.telegram.server import BotApi

LIMIT = 1_000_000


class Bots:
    """Any number of them, which share their notes."""

    def __init__(self, telegram: BotApi, redis: Redis, api: ScriptedApi) -> None:
        self.telegram = telegram
        self.api = api
        self.notes = Notes(redis, BOT_ID)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[asyncio.Task[None]]:
        """One that runs; the task may be canceled, as a process is killed."""
        stop = asyncio.Event()
        bot = Bot(self.telegram.token, base_url=self.telegram.base_url)
        client = self.api.client()
        async with bot:
            task = asyncio.create_task(Follower(self.notes, client, Sender(bot), LIMIT).run(stop))
            try:
                yield task
            finally:
                stop.set()
                await asyncio.gather(task, return_exceptions=True)
                await client.close()

    async def show(self, user: User, found: dict[str, Any], **more: Any) -> str:
        """Submit a job in a user's chat."""
        bot = Bot(self.telegram.token, base_url=self.telegram.base_url)
        async with bot:
            message = await bot.send_message(user.chat.id, "Started!")
        number = self.api.add(found)
        note = JobNote(
            job_id=number, chat_id=user.chat.id, user_id=user.id, message_id=message.message_id,
            engine="echo", language="en", **more,
        )  # fmt: skip
        assert await self.notes.open_job(note)
        return number


async def until(true: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait for it."""
    give_up = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < give_up, "it did not come true"
        await asyncio.sleep(0.02)
    return found


async def closed(bots: Bots, seconds: float = PATIENCE) -> None:
    """Wait until no job is open."""
    give_up = time.monotonic() + seconds
    while await bots.notes.open_count():
        assert time.monotonic() < give_up, "jobs are open still"
        await asyncio.sleep(0.02)


def kinds(user: User) -> list[str]:
    """What the bot has sent."""
    return [m.kind for m in user.messages if m.from_bot]


def done(api: ScriptedApi, *names: str, data: bytes | None = None) -> dict[str, Any]:
    """What a job that made these pictures says."""
    files = [api.put(png(name), picture() if data is None else data) for name in names]
    return {"state": "succeeded", "artifacts": files, "queue_position": None, "forecast": None}
