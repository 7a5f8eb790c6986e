"""Jobs are followed to their ends in chats: shown as they move, brought once, lost by no death."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from telegram import Bot

from bot import delivering, following
from bot.delivering import Courier
from bot.following import Follower
from bot.notes import Notes
from bot.open_jobs import JobNote
from bot.sending import Sender
from tests.bot.conftest import BOT_ID
from tests.bot.jobs import artifact, job, job_id, png
from tests.bot.scripted import ScriptedApi
from tests.bot.test_sending import png as picture
from tests.patience import PATIENCE
from tests.telegram.people import User
from tests.telegram.server import BotApi

pytestmark = [pytest.mark.anyio, pytest.mark.waits]

LIMIT = 1_000_000


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


class Bots:
    """Processes of a bot, as far as they follow jobs."""

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


@pytest.fixture
def bots(telegram: BotApi, redis: Redis, api: ScriptedApi) -> Bots:
    return Bots(telegram, redis, api)


async def until(true: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    give_up = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < give_up, "it did not come true"
        await asyncio.sleep(0.02)
    return found


async def closed(bots: Bots, seconds: float = PATIENCE) -> None:
    give_up = time.monotonic() + seconds
    while await bots.notes.open_count():
        assert time.monotonic() < give_up, "jobs are open still"
        await asyncio.sleep(0.02)


def kinds(user: User) -> list[str]:
    return [m.kind for m in user.messages if m.from_bot]


def done(api: ScriptedApi, *names: str, data: bytes | None = None) -> dict[str, Any]:
    """What a job that made these pictures says."""
    files = [api.put(png(name), picture() if data is None else data) for name in names]
    return {"state": "succeeded", "artifacts": files, "queue_position": None, "forecast": None}


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
