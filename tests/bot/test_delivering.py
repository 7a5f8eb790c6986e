"""A job's end is brought to its chat, each part once, whatever is in the way."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from bot import delivering
from bot.delivering import Courier
from tests.bot.followers import LIMIT, Bots, closed, done, kinds
from tests.bot.jobs import artifact, job, job_id
from tests.bot.scripted import ScriptedApi
from tests.telegram.server import BotApi

pytestmark = [pytest.mark.anyio, pytest.mark.waits]


@pytest.fixture(autouse=True)
def _no_throttle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "CHAT_SECONDS", 0.01)


@pytest.fixture
def api() -> ScriptedApi:
    return ScriptedApi()


@pytest.fixture
def bots(telegram: BotApi, redis: Redis, api: ScriptedApi) -> Bots:
    return Bots(telegram, redis, api)


async def test_what_failed_was_canceled_or_deleted_says_so_and_is_closed(bots, telegram):
    people = [telegram.user(f"P{n}") for n in range(3)]
    for user in people:
        user.say("/start")
    ends = [
        job(1, "failed", error={"code": "made_up", "detail": "no <paint>"}),
        job(2, "canceled"),
        job(3, "succeeded", data_removed=True),
    ]
    for user, end in zip(people, ends, strict=True):
        await bots.show(user, end)
    async with bots.one():
        await closed(bots)
    texts = [user.last.text for user in people]
    assert "no <paint>" in texts[0]
    assert "canceled" in texts[1]
    assert "deleted" in texts[2]


async def test_a_job_that_does_not_exist_any_more_is_closed(bots, api, anna):
    number = await bots.show(anna, job())
    del api.jobs[number]
    async with bots.one():
        await closed(bots)
    assert "does not exist" in anna.last.text


async def test_every_part_is_sent_once_though_connections_break(bots, api, anna, telegram):
    await bots.show(anna, job() | done(api, *(f"{n}.png" for n in range(4))))
    for method in ("editMessageMedia", "sendMediaGroup", "sendMediaGroup"):
        telegram.faults.cut(method)
    async with bots.one():
        await closed(bots, 30)
    assert kinds(anna) == ["photo"] + ["photo"] * 3 + ["document"] * 4


async def test_a_flood_is_waited_out_and_costs_nothing(bots, api, anna, telegram):
    await bots.show(anna, job() | done(api, "a.png"))
    telegram.faults.flood(2, "sendDocument")
    async with bots.one():
        began = time.monotonic()
        await closed(bots)
    assert time.monotonic() - began >= 2
    assert kinds(anna) == ["photo", "document"]
    assert [call.status for call in telegram.calls.of("sendDocument")] == [429, 200]


async def test_who_blocked_the_bot_is_left_alone(bots, anna, telegram):
    await bots.show(anna, job())
    anna.block_bot()
    async with bots.one():
        await closed(bots)
        before = len(telegram.calls.of())
        await asyncio.sleep(0.5)
    assert len(telegram.calls.of()) == before


async def test_an_end_that_is_never_taken_is_given_up(bots, api, anna, telegram, monkeypatch):
    monkeypatch.setattr(delivering, "MOST_FAILURES", 3)
    monkeypatch.setattr(delivering, "_FIRST_PAUSE", 0.01)
    await bots.show(anna, job() | done(api, "a.png"))
    telegram.faults.cut("editMessageMedia", times=None)
    async with bots.one():
        await closed(bots)
    assert len(telegram.calls.of("editMessageMedia")) == 4


async def test_a_message_that_was_deleted_is_sent_anew_with_the_picture(bots, api, anna):
    await bots.show(anna, job() | done(api, "a.png"))
    anna.delete(anna.last)
    async with bots.one():
        await closed(bots)
    assert kinds(anna) == ["photo", "document"]


async def test_an_older_server_gets_a_new_message_and_the_text_goes(bots, api, anna, telegram):
    await bots.show(anna, job() | done(api, "a.png"))
    text = anna.last.id
    telegram.faults.error(
        400,
        "editMessageMedia",
        times=None,
        description="Bad Request: there is no media in the message to edit",
    )
    async with bots.one():
        await closed(bots)
    assert kinds(anna) == ["photo", "document"]
    assert text not in [m.id for m in anna.messages]


async def test_a_picture_telegram_cannot_read_comes_as_a_file(bots, api, anna):
    await bots.show(anna, job() | done(api, "a.png", data=b"not a picture"))
    async with bots.one():
        await closed(bots)
    assert kinds(anna)[0] == "document"
    assert anna.last.media == b"not a picture"


async def test_what_is_too_large_comes_as_a_link(bots, anna):
    large = artifact("film.mp4", "video/mp4", size=LIMIT + 1)
    await bots.show(anna, job(state="succeeded", artifacts=[large]))
    async with bots.one():
        await closed(bots)
    assert "too large" in anna.last.text
    (link,) = [entity["url"] for entity in anna.last.entities if entity["type"] == "text_link"]
    assert link == f"http://api.test{large['url']}"


async def test_of_large_results_two_are_under_way_at_once(bots, api, telegram, monkeypatch):
    monkeypatch.setattr(delivering, "LARGE", 10)
    most = 0
    opened = Courier._opened

    @asynccontextmanager
    async def counted(self, files, size):
        nonlocal most
        async with opened(self, files, size) as found:
            most = max(most, 2 - self._large._value)
            assert self._large._value >= 0
            yield found

    monkeypatch.setattr(Courier, "_opened", counted)
    for n in range(6):
        user = telegram.user(f"P{n}")
        user.say("/start")
        await bots.show(user, job(n) | done(api, f"{n}.png"))
    telegram.faults.slow(0.2, "editMessageMedia")
    async with bots.one():
        await closed(bots)
    assert most == 2


async def test_in_a_group_that_became_a_supergroup_the_result_goes_to_the_new_one(bots, api, anna, telegram):
    group = telegram.group("Painters", anna)
    await bots.show(anna, job(), thread_id=None)
    note = await bots.notes.note(job_id(1))
    (taken,) = await bots.notes.due(1, 5)
    await bots.notes.put_back(taken, 0, note.model_copy(update={"chat_id": group.id}))
    new = group.upgrade()
    api.change(job_id(1), **done(api, "a.png"))
    async with bots.one():
        await closed(bots)
    assert [m.kind for m in new.messages if m.from_bot and m.kind != "service"] == ["photo", "document"]
