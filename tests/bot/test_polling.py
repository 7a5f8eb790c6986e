"""Updates are confirmed when they were handled, and asked for again after whatever went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis
from telegram import Update
from telegram.error import InvalidToken, TimedOut
from telegram.ext import Application, MessageHandler, filters

from bot import polling as module
from bot.inbox import Inbox
from bot.intake import Intake
from bot.polling import Polling
from tests.bot.conftest import BOT_ID
from tests.patience import PATIENCE
from tests.telegram.server import BotApi

pytestmark = pytest.mark.anyio

Handle = Callable[[str], Awaitable[None]]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_PAUSE_SECONDS", "_FIRST_WAIT", "_AGAIN_SECONDS"):
        monkeypatch.setattr(module, name, 0.01)


@pytest.fixture
def polled(telegram: BotApi, redis: Redis):
    """Polling with this handler of texts, until the end of the block."""

    @asynccontextmanager
    async def polled(handle: Handle) -> AsyncIterator[asyncio.Task[None]]:
        builder = Application.builder().token(telegram.token).base_url(telegram.base_url).updater(None)
        application = builder.get_updates_read_timeout(40).build()

        async def on_message(update: Update, _context: object) -> None:
            await handle(update.message.text)

        async def on_error(update: Update, context: object) -> None:
            intake.failed(update, context.error)

        application.add_handler(MessageHandler(filters.ALL, on_message))
        application.add_error_handler(on_error)
        intake = Intake(application, Inbox(redis, BOT_ID))
        stop = asyncio.Event()
        async with application:
            polling = Polling(application.bot, intake, ["message"])
            task = asyncio.create_task(polling.run(stop))
            try:
                yield task
            finally:
                stop.set()
                await asyncio.gather(task, return_exceptions=True)
                assert await intake.finished(PATIENCE)
            await polling.close()

    return polled


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.01)


def unconfirmed(telegram: BotApi) -> list[str]:
    return [update.body["text"] for update in telegram.updates.pending()]


async def test_nothing_is_confirmed_before_all_that_came_before_it(polled, telegram):
    handled, slow = [], asyncio.Event()

    async def handle(text: str) -> None:
        if text == "slow":
            await slow.wait()
        handled.append(text)

    people = [telegram.user(name) for name in ("Ada", "Bob", "Cy")]
    async with polled(handle):
        for user, text in zip(people, ("first", "slow", "third"), strict=True):
            user.say(text)
        await until(lambda: handled == ["first", "third"])
        await until(lambda: unconfirmed(telegram) == ["slow", "third"])
        slow.set()
        await until(lambda: unconfirmed(telegram) == [])
    assert handled == ["first", "third", "slow"], "and nothing twice"


async def test_what_was_given_back_is_tried_again(polled, telegram):
    tries = []

    async def handle(text: str) -> None:
        tries.append(text)
        if len(tries) < 3:
            raise TimedOut

    async with polled(handle):
        telegram.user("Ada").say("x")
        await until(lambda: unconfirmed(telegram) == [])
    assert tries == ["x"] * 3


async def test_the_last_ones_are_confirmed_at_the_end(polled, telegram, monkeypatch):
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 60.0)  # it is ended before it asks again
    handled = []

    async def handle(text: str) -> None:
        handled.append(text)

    async with polled(handle) as task:
        telegram.user("Ada").say("x")
        await until(lambda: handled == ["x"])
        task.cancel()
    assert unconfirmed(telegram) == []


async def test_a_server_that_stumbles_is_asked_again_and_says_so_in_the_log(polled, telegram, caplog):
    handled = []

    async def handle(text: str) -> None:
        handled.append(text)

    telegram.faults.error(502, "getUpdates")
    telegram.faults.cut("getUpdates")
    telegram.faults.error(409, "getUpdates", description="Conflict: terminated by other getUpdates request")
    async with polled(handle):
        telegram.user("Ada").say("x")
        await until(lambda: handled == ["x"])
    said = [one.levelname for one in caplog.records if one.name == "bot.polling" and "tell" in one.message]
    assert said == ["WARNING", "WARNING", "ERROR"], "two processes that poll are a mistake of the operator's"


async def test_a_token_that_was_revoked_ends_it(polled, telegram):
    async def handle(_text: str) -> None:
        raise AssertionError

    telegram.faults.error(401, "getUpdates", description="Unauthorized")
    async with polled(handle) as task:
        with pytest.raises(InvalidToken):
            await asyncio.wait_for(task, PATIENCE)
