"""One process of the bot: how well it is, and how it introduces itself."""

from __future__ import annotations

import asyncio
import json

import pytest
from telegram.error import InvalidToken

from bot import app
from bot.settings import Settings
from bot.words import Words
from tests.bot.room import Room
from tests.telegram.server import BotApi

pytestmark = pytest.mark.anyio


async def health(room: Room, stop: asyncio.Event | None = None) -> dict[str, object]:
    return await app.health(room.bot, stop or asyncio.Event())


async def test_it_is_well_without_the_api_of_which_people_are_told(enter):
    async with enter() as room:
        room.api.away = True
        assert await health(room) == {"ok": True, "reason": "", "in_hand": 0}


async def test_it_is_not_well_without_its_notes():
    bot = app.build(Settings(token="42:abc", redis_url="redis://127.0.0.1:1/0"))
    found = await app.health(bot, asyncio.Event())
    assert found == {"ok": False, "reason": "Redis: ConnectionError", "in_hand": 0}
    await bot.redis.aclose()


async def test_who_is_to_end_gets_no_more_to_do(enter):
    stop = asyncio.Event()
    stop.set()
    async with enter() as room:
        assert await health(room, stop) == {"ok": False, "reason": "it is ending", "in_hand": 0}


async def test_what_is_in_hand_is_said(enter, telegram):
    async with enter() as room:
        ada = telegram.user("Ada")
        ada.say("/help")
        telegram.faults.slow(0.3, "sendMessage")
        handling = asyncio.create_task(room.heard())
        async with asyncio.timeout(10):
            while not (await health(room))["in_hand"]:
                await asyncio.sleep(0.01)
        await handling
        assert (await health(room))["in_hand"] == 0


async def commands(room: Room, language: str | None) -> dict[str, str]:
    found = await room.bot.application.bot.get_my_commands(language_code=language)
    return {one.command: one.description for one in found}


async def test_it_introduces_itself_in_every_language_and_to_who_speaks_none(enter, telegram: BotApi):
    async with enter() as room:
        assert await app._ready(room.bot, asyncio.Event())
        english = await commands(room, None)
        assert english["new"] == "Make something new"
        assert not {"start", "admin"} & english.keys()
        for language in set(Words.languages) - {Words.DEFAULT}:
            own = await commands(room, language)
            assert own.keys() == english.keys()
            assert own["new"] != english["new"]
        assert telegram.calls.of("setWebhook") == []
        assert len(telegram.calls.of("deleteWebhook")) == 1, "it polls, whatever was before"


async def test_with_a_webhook_updates_come_there_with_the_secret(enter, telegram: BotApi):
    async with enter(webhook="http://127.0.0.1:9/hook", secret="s3cret") as room:
        assert await app._ready(room.bot, asyncio.Event())
        (call,) = telegram.calls.of("setWebhook")
        assert call.parameters["url"] == "http://127.0.0.1:9/hook"
        assert call.parameters["secret_token"] == "s3cret"
        assert json.loads(call.parameters["allowed_updates"]) == list(app.ALLOWED)


async def test_telegram_is_waited_for_until_it_is_told_to_stop(enter, telegram: BotApi, monkeypatch):
    monkeypatch.setattr(app, "_FIRST_WAIT", 0.01)
    async with enter() as room:
        telegram.faults.error(502, "setMyCommands", times=2)
        assert await app._ready(room.bot, asyncio.Event())

        stop = asyncio.Event()
        telegram.faults.error(502, "setMyCommands", times=None)
        waiting = asyncio.create_task(app._ready(room.bot, stop))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        stop.set()
        assert not await waiting


async def test_a_token_that_telegram_does_not_know_is_not_tried_again(enter, telegram: BotApi):
    async with enter() as room:
        telegram.faults.error(401, "setMyCommands", description="Unauthorized")
        with pytest.raises(InvalidToken):
            await app._ready(room.bot, asyncio.Event())
