"""Limits, faults, and many people at once."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from telegram import Bot
from telegram.error import NetworkError, RetryAfter, TimedOut

from tests.telegram.clients import running, use
from tests.telegram.flood import NO_LIMITS, Limits
from tests.telegram.people import User
from tests.telegram.server import BotApi
from tests.telegram.test_receiving import handlers

pytestmark = pytest.mark.waits

#: A machine that does much else answers hundreds of people slowly.
SLOW = 100.0


def wait_of(error: RetryAfter) -> float:
    assert isinstance(error.retry_after, timedelta)
    return error.retry_after.total_seconds()


def test_a_chat_takes_about_one_message_a_second(telegram: BotApi, anna: User) -> None:
    telegram.limit(Limits(chat_burst=3))

    async def work(bot: Bot) -> None:
        for number in range(3):
            await bot.send_message(anna.id, str(number))
        sent = telegram.calls.of("sendMessage")[-1]
        assert sent.status == 200
        with pytest.raises(RetryAfter) as caught:
            await bot.edit_message_text("again", anna.id, anna.last.id)
        assert 1 <= wait_of(caught.value) <= 2
        await asyncio.sleep(wait_of(caught.value))
        await bot.edit_message_text("again", anna.id, anna.last.id)

    use(telegram, work)
    assert anna.last.text == "again"


def test_a_group_takes_twenty_a_minute(telegram: BotApi, anna: User) -> None:
    group = telegram.group("Painters", anna)
    telegram.limit(Limits(chat_rate=1e6, chat_burst=100))

    async def work(bot: Bot) -> None:
        for number in range(20):
            await bot.send_message(group.id, str(number))
        with pytest.raises(RetryAfter) as caught:
            await bot.send_message(group.id, "one more")
        assert 50 <= wait_of(caught.value) <= 60
        await bot.send_message(anna.id, "elsewhere")

    use(telegram, work)


def test_thirty_messages_a_second_over_all(telegram: BotApi) -> None:
    people = [telegram.user(f"P{number}") for number in range(40)]
    for one in people:
        one.say("/start")
    telegram.limit(Limits(overall_rate=0.1))

    async def work(bot: Bot) -> list[Any]:
        return await asyncio.gather(
            *(bot.send_message(one.id, "hi") for one in people), return_exceptions=True
        )

    results = use(telegram, work)
    assert 30 <= sum(not isinstance(one, Exception) for one in results) < 40
    assert all(isinstance(one, RetryAfter) for one in results if isinstance(one, Exception))


def test_refusals_on_request(telegram: BotApi, anna: User) -> None:
    telegram.faults.flood(7, "sendMessage")
    telegram.faults.error(502, "sendMessage", description="Bad Gateway")
    with pytest.raises(RetryAfter) as caught:
        use(telegram, lambda bot: bot.send_message(anna.id, "a"))
    assert wait_of(caught.value) == 7
    with pytest.raises(NetworkError, match="Bad Gateway"):
        use(telegram, lambda bot: bot.send_message(anna.id, "a"))
    use(telegram, lambda bot: bot.send_message(anna.id, "a"))
    assert [one.status for one in telegram.calls.of("sendMessage")] == [429, 502, 200]
    assert [one.text for one in anna.messages] == ["/start", "a"]


def test_cut_connections(telegram: BotApi, anna: User) -> None:
    telegram.faults.cut("sendMessage")
    with pytest.raises(NetworkError):
        use(telegram, lambda bot: bot.send_message(anna.id, "never"))
    telegram.faults.cut("sendMessage", done=True)
    with pytest.raises(NetworkError):
        use(telegram, lambda bot: bot.send_message(anna.id, "arrived"))
    assert [one.text for one in anna.messages] == ["/start", "arrived"]
    # The bot may hear of the cut before the server has noted it.
    until = time.monotonic() + 5
    while None in (found := [one.status for one in telegram.calls.of("sendMessage")]):
        assert time.monotonic() < until, found
    assert found == [0, 0]


def test_slow_answers_and_none(telegram: BotApi, anna: User) -> None:
    telegram.faults.slow(0.4, "sendMessage", times=1)
    use(telegram, lambda bot: bot.send_message(anna.id, "late"))
    [call] = telegram.calls.of("sendMessage")
    assert call.seconds is not None
    assert call.seconds >= 0.4
    telegram.faults.drop(1, chat_id=anna.id)
    with pytest.raises(TimedOut):
        use(telegram, lambda bot: bot.send_message(anna.id, "never", read_timeout=0.3))
    assert anna.last.text == "late"


def test_a_bot_survives_an_outage(telegram: BotApi, anna: User) -> None:
    with running(telegram, handlers):
        anna.wait_for(lambda m: m.text == "you: /start")
        with telegram.faults.offline():
            anna.say("never answered")  # it ends the poll under way, and the answer to it is cut off
            until = time.monotonic() + 20
            while not any(call.status == 0 for call in telegram.calls.of("getUpdates")):
                assert time.monotonic() < until, "the bot did not ask again"
                time.sleep(0.02)
            anna.say("are you there")
        anna.wait_for(lambda m: m.text == "you: are you there")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("webhook", [False, True])
def test_two_hundred_chats_at_once(webhook: bool) -> None:
    with BotApi(limits=NO_LIMITS) as telegram:
        telegram.answer_within(SLOW)
        people = [telegram.user(f"P{number}") for number in range(200)]
        with running(telegram, handlers, webhook=webhook):
            for one in people:
                one.say("/menu")
            for one in people:
                one.wait_for(lambda m: m.labels, SLOW)
            presses = [one.press("Go") for one in people]
            for press in presses:
                press.answer(SLOW)
            for one in people:
                one.wait_for(lambda m: m.text == "gone", SLOW)
        assert [len(one.messages) for one in people] == [2] * 200
