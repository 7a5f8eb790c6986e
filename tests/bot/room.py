"""The bot and the API in this process: what people do is handled when a test says so, and nobody works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import httpx
import pytest

from accounts.store import AccountStore
from api import create_app
from api.settings import Settings as ApiSettings
from bot import albums, app
from bot.settings import Settings
from client import AsyncClient, Retries
from jobs.database import Database
from jobs.store import JobRow, JobStore
from queue_config import Doorbell
from storage.memory import MemoryStorage
from tests.services import RedisServer
from tests.telegram.server import BotApi

T = TypeVar("T")


class InProcess(httpx.AsyncBaseTransport):
    """Asks a WSGI application."""

    def __init__(self, wsgi: Callable[..., Any]) -> None:
        self._wsgi = httpx.WSGITransport(app=wsgi)
        self.away = False
        #: What every request is answered with, where it is a status.
        self.refuses = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("refused", request=request)
        if self.refuses:
            return httpx.Response(self.refuses, json={"code": "unavailable", "detail": "No."})
        body = await request.aread()
        asked = httpx.Request(request.method, request.url, headers=request.headers, content=body)
        answer = self._wsgi.handle_request(asked)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.read())


class Room:
    """A bot that has not begun to listen."""

    def __init__(self, bot: app.Bot, store: JobStore, api: InProcess) -> None:
        self.bot = bot
        self.store = store
        self.api = api
        #: Of the first update that was not handled.
        #: The id of the first update that was not handled.
        self.next = 0

    async def heard(self) -> None:
        """Handle what people have done so far, their albums included."""
        telegram = self.bot.application.bot
        while updates := await telegram.get_updates(self.next, timeout=0, allowed_updates=app.ALLOWED):
            for update in updates:
                await self.bot.intake.handle(update)
                self.next = update.update_id + 1
        waiting = f"bot:{self.bot.settings.bot_id}:albums"
        if await self.bot.redis.zcard(waiting):
            taking = asyncio.create_task(self.bot.services.albums.run(self.bot.intake.handle_other))
            while await self.bot.redis.zcard(waiting):
                await asyncio.sleep(0.01)
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)

    async def while_heard(self, asking: Callable[[], T]) -> T:
        """What somebody waits for in a thread while the bot handles what they did."""
        task = asyncio.create_task(asyncio.to_thread(asking))
        while not task.done():
            await self.heard()
            await asyncio.sleep(0.01)
        return task.result()

    @property
    def jobs(self) -> list[JobRow]:
        """All of them, oldest first."""
        return list(reversed(self.store.page(None)))


@asynccontextmanager
async def room(
    telegram: BotApi,
    redis: RedisServer,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    **told: Any,
) -> AsyncIterator[Room]:
    """A bot that lets everybody in, unless it is told something else."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")  # the API's broker: nothing listens there
    monkeypatch.setattr(albums, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(albums, "LOOK_SECONDS", 0.01)
    store = JobStore(database)
    api = InProcess(create_app(store, MemoryStorage(), Doorbell(), ApiSettings(rate_per_minute=0)))
    monkeypatch.setattr(app, "AsyncClient", partial(AsyncClient, transport=api, retries=Retries(pause=0.0)))
    usual = {
        "token": telegram.token,
        "api": telegram.url,
        "guests": True,
        "key": AccountStore(database).create_key("root", admin=True)[0],
        "redis_url": redis.url,
    }
    bot = app.build(Settings.model_validate(usual | told))
    await bot.redis.flushall()
    await bot.application.initialize()
    try:
        yield Room(bot, store, api)
    finally:
        await bot.application.shutdown()
        await bot.services.downloads.close()
        await bot.services.api.close()
        await bot.redis.aclose()
