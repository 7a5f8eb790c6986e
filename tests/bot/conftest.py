"""A Redis of the tests' own with notes in it, and a local server that speaks the Bot API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest
from redis.asyncio import Redis
from telegram import Bot

from bot.notes import Notes
from bot.sending import Sender
from jobs.database import Database
from tests.bot.room import Room, room
from tests.services import RedisServer, redis_server
from tests.telegram.flood import NO_LIMITS
from tests.telegram.people import User
from tests.telegram.server import BotApi

BOT_ID = 42


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _timedeltas(monkeypatch: pytest.MonkeyPatch) -> None:
    """python-telegram-bot 22 warns of times that are numbers; the next one gives timedeltas."""
    monkeypatch.setenv("PTB_TIMEDELTA", "1")


@pytest.fixture(scope="module")
def redis_of_the_bot() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
async def redis(redis_of_the_bot: RedisServer) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_of_the_bot.url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def notes(redis: Redis) -> Notes:
    return Notes(redis, BOT_ID)


@pytest.fixture
def telegram() -> Iterator[BotApi]:
    """Telegram without limits on how much is sent."""
    with BotApi(limits=NO_LIMITS) as server:
        yield server


@pytest.fixture
def anna(telegram: BotApi) -> User:
    """Somebody who has started the bot."""
    user = telegram.user("Anna")
    user.say("/start")
    return user


@pytest.fixture
async def sender(telegram: BotApi) -> AsyncIterator[Sender]:
    bot = Bot(telegram.token, base_url=telegram.base_url, base_file_url=telegram.base_file_url)
    async with bot:
        yield Sender(bot)


@pytest.fixture
def enter(
    telegram: BotApi,
    redis_of_the_bot: RedisServer,
    sqlite_database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., AbstractAsyncContextManager[Room]]:
    """A bot that is told this: `async with enter(guests=False) as room`."""
    return partial(room, telegram, redis_of_the_bot, sqlite_database, monkeypatch)
