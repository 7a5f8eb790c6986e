"""From a filled-in form to jobs: one for each picture where several are meant, and none twice."""

from __future__ import annotations

import json

import pytest
from telegram import File
from telegram.error import BadRequest

from bot.handlers import submitting
from jobs.files import FileStore
from tests.bot.house import picture
from tests.bot.room import Room
from tests.telegram.people import User

pytestmark = pytest.mark.anyio


@pytest.fixture
def ada(telegram) -> User:
    return telegram.user("Ada")


async def two_to_repaint(room: Room, ada: User) -> None:
    """A form with two pictures and a style."""
    ada.send_album([picture(colour="red"), picture(colour="blue")])
    await room.heard()
    ada.press("Repaint each one")
    await room.heard()
    ada.press(next(label for label in ada.last.labels if label.endswith("Night")))
    await room.heard()


def names(room: Room, *ids: str) -> list[str]:
    files = FileStore(room.store.database)
    return [files.get(one).name for one in ids]


async def test_where_one_picture_is_taken_each_of_two_is_a_job(enter, ada):
    async with enter() as room:
        await two_to_repaint(room, ada)
        ada.press("▶️ Go")
        await room.heard()
        one, two = room.jobs
        assert one.params["content"] != two.params["content"]
        assert names(room, one.params["content"], *one.params["style"]) == ["telegram.jpg", "night.jpg"]
        assert len([m for m in ada.messages if "✖️ Cancel" in m.labels]) == 2, "each is shown"


async def test_what_was_submitted_before_an_error_is_not_submitted_again(enter, ada):
    async with enter(guest_queued=1) as room:
        await two_to_repaint(room, ada)
        ada.press("▶️ Go")
        await room.heard()
        assert len(room.jobs) == 1
        assert any("as many jobs waiting as you may" in m.text for m in ada.messages)
        draft = await room.bot.services.notes.draft(ada.id, ada.id)
        assert [len(files) for files in draft.files.values()] == [1, 1], "the one that is left"


async def test_an_update_that_comes_twice_is_one_job(enter, ada, telegram):
    async with enter() as room:
        ada.say("/planet mars")
        await room.heard()
        await room.bot.redis.flushall()  # the bot has forgotten it
        telegram.updates.again(list(telegram.updates.log.values())[-1])
        room.next = 0
        await room.heard()
        assert len(room.jobs) == 1


async def test_a_job_s_own_file_is_named_and_not_sent_again(enter, ada):
    async with enter() as room:
        await two_to_repaint(room, ada)
        ada.press("▶️ Go")
        await room.heard()
        first = room.jobs[0]
        ada.say(f"/new neural_style {json.dumps({k: first.params[k] for k in ('content', 'style')})}")
        await room.heard()
        ada.press("▶️ Go")
        await room.heard()
        again = room.jobs[-1]
        assert (again.params["content"], again.params["style"]) == (
            first.params["content"],
            first.params["style"],
        )


async def test_a_picture_that_telegram_gives_no_bot_is_said_to_be_too_large(enter, ada, telegram):
    async with enter() as room:
        ada.say("/classify")
        await room.heard()
        telegram.faults.error(400, "getFile", description="Bad Request: file is too big")
        ada.send_photo(picture())
        await room.heard()
        assert "at most 20 MB" in ada.last.text
        telegram.faults.error(400, "getFile", description="Bad Request: wrong file id")
        ada.send_photo(picture())
        await room.heard()
        assert "could not get your picture" in ada.last.text
        assert room.jobs == []


@pytest.mark.parametrize(
    ("path", "suffix"),
    [("photos/file_1.jpg", ".jpg"), ("documents/My holiday.png", ".png"), ("a.exe\r\nX: y", ""), (None, "")],
    ids=["photo", "document", "hostile", "none"],
)
def test_of_a_file_s_name_its_type_is_kept_alone(path, suffix):
    assert submitting._suffix(File("id", "unique", file_path=path)) == suffix


def test_why_a_file_did_not_come():
    assert submitting._no_file(BadRequest("File is too big")).key == "error.file_too_large"
    assert submitting._no_file(BadRequest("wrong file_id")).key == "error.download"
