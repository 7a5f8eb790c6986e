"""Each update is begun with by one process, and comes again when that one did not finish."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis
from telegram import Chat, Message, Update, User
from telegram.error import TimedOut
from telegram.ext import Application, MessageHandler, filters

from bot import inbox as inbox_module
from bot.inbox import Inbox, Taken
from bot.intake import Intake, NotNow
from tests.bot.conftest import BOT_ID

pytestmark = pytest.mark.anyio


@pytest.fixture
def inbox(redis: Redis) -> Inbox:
    return Inbox(redis, BOT_ID)


@pytest.fixture
def other(redis: Redis) -> Inbox:
    """The same inbox in another process."""
    return Inbox(redis, BOT_ID)


async def test_one_of_two_processes_gets_it(inbox, other):
    assert await inbox.take(1) is Taken.OURS
    assert await other.take(1) is Taken.BUSY
    await inbox.done(1)
    assert await other.take(1) is Taken.DONE
    assert await inbox.take(1) is Taken.DONE


async def test_what_was_given_back_is_taken_again(inbox, other):
    assert await inbox.take(1) is Taken.OURS
    assert await inbox.give_back(1)
    assert await other.take(1) is Taken.OURS


async def test_a_process_that_died_loses_it(inbox, other, monkeypatch):
    monkeypatch.setattr(inbox_module, "LEASE_SECONDS", 0.1)
    assert await inbox.take(1) is Taken.OURS
    await asyncio.sleep(0.15)
    assert await other.take(1) is Taken.OURS


async def test_a_slow_one_keeps_it(inbox, other, monkeypatch):
    monkeypatch.setattr(inbox_module, "LEASE_SECONDS", 0.3)
    monkeypatch.setattr(inbox_module, "_RENEW_SECONDS", 0.05)
    renewing = asyncio.create_task(inbox.renew())
    assert await inbox.take(1) is Taken.OURS
    await asyncio.sleep(0.6)
    assert await other.take(1) is Taken.BUSY
    await inbox.done(1)
    await asyncio.sleep(0.6)
    assert await other.take(1) is Taken.DONE, "what is done is not renewed into being held"
    renewing.cancel()


async def test_nothing_is_tried_for_ever(inbox):
    for _ in range(inbox_module.MOST_TRIES - 1):
        assert await inbox.take(1) is Taken.OURS
        assert await inbox.give_back(1)
    assert await inbox.take(1) is Taken.OURS
    assert not await inbox.give_back(1)
    assert await inbox.take(1) is Taken.DONE


@pytest.fixture
async def application():
    made = Application.builder().token("42:abc").updater(None).build()
    made._initialized = True  # without a word to Telegram
    return made


def message(update_id: int, chat: int = 7) -> Update:
    sent = Message(update_id, None, Chat(chat, "private"), from_user=User(chat, "Ada", False), text="x")
    return Update(update_id, message=sent)


async def test_the_updates_of_a_chat_are_handled_in_their_order(inbox, application):
    began, ended = [], []

    async def slow(update: Update, _context: object) -> None:
        began.append(update.update_id)
        await asyncio.sleep(0.05 if update.update_id == 1 else 0)
        ended.append(update.update_id)

    application.add_handler(MessageHandler(filters.ALL, slow))
    intake = Intake(application, inbox)
    updates = [message(1), message(2), message(3, chat=8)]
    await asyncio.gather(*(intake.handle(update) for update in updates))

    assert began == [1, 3, 2]
    assert ended == [3, 1, 2]
    assert await intake.finished(1)


async def test_a_handler_that_failed_for_now_makes_it_come_again(inbox, application):
    tries = []

    async def handler(_update: Update, _context: object) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise TimedOut

    async def on_error(update: Update, context: object) -> None:
        intake.failed(update, context.error)

    application.add_handler(MessageHandler(filters.ALL, handler))
    application.add_error_handler(on_error)
    intake = Intake(application, inbox)
    with pytest.raises(NotNow):
        await intake.handle(message(1))
    await intake.handle(message(1))
    await intake.handle(message(1))

    assert len(tries) == 2


async def test_an_update_in_hand_elsewhere_is_not_confirmed(inbox, other, application):
    await other.take(1)
    with pytest.raises(NotNow):
        await Intake(application, inbox).handle(message(1))


async def test_without_redis_nothing_is_confirmed(application):
    away = Redis.from_url("redis://127.0.0.1:1/0")
    with pytest.raises(NotNow):
        await Intake(application, Inbox(away, BOT_ID)).handle(message(1))
    await away.aclose()
