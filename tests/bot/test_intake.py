"""Updates are handled in their chat's order, and what cannot be handled now is not confirmed."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis
from telegram import Chat, Message, Update, User
from telegram.error import TimedOut
from telegram.ext import Application, MessageHandler, filters

from bot.inbox import Inbox
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
