"""Jobs are followed to their ends in chats: shown as they move, brought once, lost by no death."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
from redis.asyncio import Redis
from telegram import Bot

from bot import delivering, following
from bot.following import Follower
from bot.sending import Sender
from tests.bot.followers import LIMIT, Bots, closed, done, kinds, until
from tests.bot.jobs import chain, job, job_id, stage
from tests.bot.scripted import ScriptedApi
from tests.bot.test_sending import png as picture
from tests.telegram.server import BotApi

pytestmark = [pytest.mark.anyio, pytest.mark.waits]


@pytest.fixture
def api() -> ScriptedApi:
    return ScriptedApi()


@pytest.fixture(autouse=True)
def _no_throttle(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chats are edited as often as anything changes, but where a test is about that."""
    if "throttled" not in request.fixturenames:
        monkeypatch.setattr(delivering, "CHAT_SECONDS", 0.01)


@pytest.fixture
def throttled() -> None:
    """Chats are edited as in earnest."""


@pytest.fixture
def bots(telegram: BotApi, redis: Redis, api: ScriptedApi) -> Bots:
    return Bots(telegram, redis, api)


async def test_a_job_is_shown_from_the_queue_to_the_picture_in_one_message(bots, api, anna):
    number = await bots.show(anna, job())
    async with bots.one():
        await until(lambda: "position 3" in anna.last.text)
        assert anna.last.labels == ["✖️ Cancel"]
        api.change(number, state="running", progress=0.3, message="drawing", queue_position=None)
        await until(lambda: "30 %" in anna.last.text)
        api.files["/preview"] = picture("red")
        api.change(number, progress=0.6, preview_url="/preview?v=3")
        await until(lambda: anna.last.kind == "photo")
        assert "60 %" in anna.last.text
        api.change(number, preview_url=None, **done(api, "a.png"))
        await closed(bots)
    face, file = [m for m in anna.messages if m.from_bot]
    assert (face.kind, file.kind, file.file_name) == ("photo", "document", "a.png")
    assert file.media == picture()
    assert "seed 7" in face.text
    assert face.labels == ["🔁 Again", "🎲 Variation", "🖼 Use as input", "📋 Share settings"]


async def test_a_chain_s_stages_are_shown_as_they_move(bots, api, anna):
    number = await bots.show(anna, chain(stage("planets", jobs=1, succeeded=0)))
    async with bots.one():
        await until(lambda: "🎨 planets: 40 %" in anna.last.text)
        assert "in parts" in anna.last.text
        made = stage("planets", "succeeded", jobs=1, succeeded=1)
        api.change(number, stages=[made, stage("kinds")])
        await until(lambda: "✅ planets: 1/1\n🎨 kinds: 3/8" in anna.last.text)
        error = {"code": "part_failed", "detail": "kinds-002: timeout: Too long."}
        api.change(number, state="failed", held=None, error=error, stages=[made, stage("kinds", "failed")])
        await closed(bots)
    assert "kinds-002" in anna.last.text
    assert "❌ kinds: 3/8" in anna.last.text
    assert anna.last.labels == ["🔁 Go on where it stopped"]


async def test_nothing_is_edited_when_nothing_changed(bots, api, anna, telegram):
    await bots.show(anna, job())
    async with bots.one():
        await until(lambda: "position 3" in anna.last.text)
        before = len(telegram.calls.of("editMessageText"))
        reads = len(api.read)
        await until(lambda: len(api.read) >= reads + 3)
    assert len(telegram.calls.of("editMessageText")) == before


async def test_a_new_version_with_the_same_preview_and_text_is_no_edit(bots, api, anna, telegram):
    api.files["/preview"] = picture()
    number = await bots.show(anna, job(state="running", preview_url="/preview", progress=0.5))
    async with bots.one():
        await until(lambda: anna.last.kind == "photo")
        for _ in range(3):
            asked = api.asked["/preview"]
            api.change(number)
            await until(lambda asked=asked: api.asked["/preview"] > asked)
        await asyncio.sleep(0.2)
    edits = [call for call in telegram.calls.of() if call.method.startswith("edit")]
    assert [call.method for call in edits] == ["editMessageMedia"]


@pytest.mark.usefixtures("throttled")
async def test_a_chat_is_edited_every_three_seconds_at_most_and_its_end_is_not_held_back(
    bots, api, anna, telegram
):
    first = await bots.show(anna, job(1, "running"))
    await bots.show(anna, job(2, "running"))
    async with bots.one():
        began = time.monotonic()
        for step in itertools.count():
            if time.monotonic() > began + 7:
                break
            for number in (job_id(1), job_id(2)):
                api.change(number, progress=(step % 100) / 100)
            await asyncio.sleep(0.1)
        edits = telegram.calls.of("editMessageText")
        assert 2 <= len(edits) <= 3
        assert all(b.at - a.at > 2.8 for a, b in itertools.pairwise(edits))
        assert len({call.parameters["message_id"] for call in edits}) == 2, "both have their turn"
        api.change(first, **done(api, "a.png"))
        stored = time.monotonic()
        await until(lambda: "photo" in kinds(anna))
        assert time.monotonic() - stored < 2.0


async def test_the_api_may_be_away_for_a_while(bots, api, anna):
    await bots.show(anna, job())
    api.away = True
    async with bots.one():
        await asyncio.sleep(0.5)
        api.away = False
        await until(lambda: "position 3" in anna.last.text)


async def test_two_processes_look_at_no_job_twice_and_bring_each_result_once(bots, api, telegram):
    people = [telegram.user(f"P{n}") for n in range(40)]
    numbers = []
    for n, user in enumerate(people):
        user.say("/start")
        numbers.append(await bots.show(user, job(n)))
    async with bots.one(), bots.one():
        await until(lambda: all("position 3" in user.last.text for user in people), 60)
        for number in numbers:
            api.change(number, **done(api, f"{number}.png"))
        await closed(bots, 60)
    assert all(kinds(user) == ["photo", "document"] for user in people)
    last: dict[str, float] = {}
    for at, number in api.read:
        assert at - last.get(number, 0.0) >= following._REST_SECONDS
        last[number] = at


async def test_what_a_dead_process_had_is_taken_up_by_another_and_brought_once(
    bots, api, telegram, monkeypatch
):
    monkeypatch.setattr(following, "LEASE_SECONDS", 1.0)
    people = [telegram.user(f"P{n}") for n in range(12)]
    for n, user in enumerate(people):
        user.say("/start")
        await bots.show(user, job(n) | done(api, f"{n}.png"))
    telegram.faults.slow(0.3, "editMessageMedia")
    stop = asyncio.Event()
    bot = Bot(telegram.token, base_url=telegram.base_url)
    client = api.client()
    async with bot:
        # Given a process that dies in the middle of it: its tasks stop where they are.
        dying = Follower(bots.notes, client, Sender(bot), LIMIT)
        task = asyncio.create_task(dying.run(stop))
        await until(lambda: len(telegram.calls.of("editMessageMedia")) >= 3)
        monkeypatch.setattr(following, "STOP_SECONDS", 0.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()
    assert await bots.notes.open_count() > 0
    # When another one goes on, then everybody has the picture, and nobody has it twice.
    async with bots.one():
        await closed(bots)
    assert [kinds(user) for user in people] == [["photo", "document"]] * 12


async def test_a_long_delivery_keeps_its_lease(bots, api, anna, telegram, monkeypatch):
    monkeypatch.setattr(following, "LEASE_SECONDS", 0.6)
    await bots.show(anna, job() | done(api, "a.png"))
    telegram.faults.slow(2.0, "sendDocument")
    async with bots.one(), bots.one():
        await closed(bots)
    assert kinds(anna) == ["photo", "document"]
