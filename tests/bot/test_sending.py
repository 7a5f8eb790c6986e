"""What is sent arrives as it was meant, and each refusal of Telegram means what is to be done about it."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter, TimedOut

from bot import sending
from bot.open_jobs import JobNote
from bot.sending import Attachment, Kind, Sender
from tests.telegram.people import User
from tests.telegram.server import BotApi

pytestmark = pytest.mark.anyio

KEYBOARD = InlineKeyboardMarkup([[InlineKeyboardButton("Cancel", callback_data="x")]])


def png(color: str = "navy", side: int = 64) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (side, side), color).save(stream, "PNG")
    return stream.getvalue()


def attachment(data: bytes | None = None, name: str = "planet.png") -> Attachment:
    return Attachment(name, io.BytesIO(png() if data is None else data))


def a_note(user: User, message_id: int, **more) -> JobNote:
    return JobNote(
        **{
            "job_id": "job_" + "1" * 32,
            "chat_id": user.chat.id,
            "user_id": user.id,
            "message_id": message_id,
            "engine": "planets",
            "language": "en",
        }
        | more
    )


@pytest.fixture
async def note(sender: Sender, anna: User) -> JobNote:
    """A job that is shown by a text."""
    return a_note(anna, await sender.send_text(a_note(anna, 0), "waiting"))


async def test_a_text_is_edited_and_the_same_text_is_no_error(sender, anna, note):
    assert not await sender.show(note, "<b>half</b> done", KEYBOARD)
    assert not await sender.show(note, "<b>half</b> done", KEYBOARD)
    assert anna.last.text == "half done"
    assert anna.last.entities[0]["type"] == "bold"
    assert anna.last.labels == ["Cancel"]


async def test_a_text_becomes_a_picture_and_another_and_stays_one_message(sender, anna, note):
    await sender.show_file(note, Kind.PHOTO, attachment(), "half", KEYBOARD)
    await sender.show_file(note, Kind.PHOTO, attachment(png("red")), "whole", None)
    await sender.show_file(note, Kind.PHOTO, attachment(png("red")), "whole", None)
    (shown,) = [m for m in anna.messages if m.from_bot]
    assert (shown.kind, shown.text, shown.labels) == ("photo", "whole", [])
    assert shown.id == note.message_id
    assert len(shown.history) == 3  # a file that is uploaded again is another one to Telegram
    red, _, blue = Image.open(io.BytesIO(shown.media)).convert("RGB").getpixel((30, 30))
    assert red > 200
    assert blue < 60


async def test_once_it_is_a_picture_its_text_is_the_caption_whatever_the_note_says(sender, anna, note):
    await sender.show_file(note, Kind.PHOTO, attachment(), "half", None)
    assert await sender.show(note, "more", None)
    assert await sender.show(note.model_copy(update={"is_photo": True}), "most", None)
    assert (anna.last.kind, anna.last.text) == ("photo", "most")


async def test_a_note_that_says_picture_of_a_text_is_corrected(sender, anna, note):
    assert not await sender.show(note.model_copy(update={"is_photo": True}), "still text", None)
    assert anna.last.text == "still text"


async def test_files_of_each_kind_arrive_with_their_bytes(sender, anna, note):
    data = png()
    await sender.send_file(note, Kind.DOCUMENT, attachment(data), "in <i>full</i>")
    assert (anna.last.kind, anna.last.media, anna.last.file_name) == ("document", data, "planet.png")
    assert anna.last.text == "in full"
    await sender.send_file(note, Kind.PHOTO, attachment(data))
    assert anna.last.kind == "photo"
    await sender.send_file(note, Kind.ANIMATION, attachment(b"\0\0\0\x18ftypmp42" + bytes(100), "morph.mp4"))
    assert anna.last.kind == "animation"
    await sender.send_file(note, Kind.AUDIO, attachment(b"ID3 a song", "song.mp3"), "a song")
    assert (anna.last.kind, anna.last.media, anna.last.text) == ("audio", b"ID3 a song", "a song")


async def test_a_job_s_message_becomes_a_sound(sender, anna, note):
    await sender.show_file(note, Kind.AUDIO, attachment(b"ID3 a song", "song.mp3"), "a song", None)
    assert (anna.last.kind, anna.last.media, anna.last.text) == ("audio", b"ID3 a song", "a song")


async def test_an_album_is_one_and_answers_the_request(sender, anna, note):
    asked = anna.say("make two")
    wanted = note.model_copy(update={"reply_to": asked.id})
    await sender.send_album(
        wanted, Kind.DOCUMENT, [attachment(name="a.png"), attachment(name="b.png")], "both"
    )
    first, second = anna.messages[-2:]
    assert first.album is not None
    assert first.album == second.album
    assert (first.file_name, second.file_name) == ("a.png", "b.png")
    assert (first.text, second.text) == ("both", "")
    assert first.reply_to == asked.id


async def test_an_answer_to_what_was_deleted_is_sent_nevertheless(sender, anna, note):
    asked = anna.say("make one")
    anna.delete(asked)
    await sender.send_file(note.model_copy(update={"reply_to": asked.id}), Kind.PHOTO, attachment())
    assert anna.last.kind == "photo"


async def test_a_hostile_file_name_is_only_a_name(sender, anna, note):
    name = 'a"; filename="b\r\nX: y\u202egnp.exe'
    data = png()
    await sender.send_file(note, Kind.DOCUMENT, Attachment(name, io.BytesIO(data)))
    assert anna.last.media == data
    assert "\n" not in (anna.last.file_name or "")


async def test_a_large_file_is_never_in_memory_as_a_whole(sender, anna, note, tmp_path):
    path = tmp_path / "large.bin"
    with path.open("wb") as out:
        out.truncate(40_000_000)
    largest = 0

    class Watched(io.FileIO):
        def read(self, size: int = -1) -> bytes:
            nonlocal largest
            found = super().read(size)
            largest = max(largest, len(found))
            return found

    with Watched(path, "rb") as stream:
        await sender.send_file(note, Kind.DOCUMENT, Attachment("large.bin", stream))  # type: ignore[arg-type]
    assert len(anna.last.media) == 40_000_000
    assert 0 < largest <= 1_000_000


async def test_a_deleted_message_is_vanished(sender, anna, note):
    anna.delete(anna.last)
    with pytest.raises(sending.Vanished):
        await sender.show(note, "x", None)
    with pytest.raises(sending.Vanished):
        await sender.show_file(note, Kind.PHOTO, attachment(), "x", None)
    await sender.delete(note)


async def test_a_server_that_makes_no_picture_of_a_text_says_so(sender, telegram: BotApi, note):
    telegram.faults.error(
        400, "editMessageMedia", description="Bad Request: there is no media in the message to edit"
    )
    with pytest.raises(sending.NoMedia):
        await sender.show_file(note, Kind.PHOTO, attachment(), "x", None)


async def test_a_blocked_bot_and_a_chat_that_moved(sender, telegram: BotApi, anna, note):
    group = telegram.group("Painters", anna)
    moved = group.upgrade()
    with pytest.raises(sending.Moved) as error:
        await sender.send_text(note.model_copy(update={"chat_id": group.id}), "x")
    assert error.value.chat_id == moved.id
    anna.block_bot()
    with pytest.raises(sending.Blocked):
        await sender.show(note, "x", None)


async def test_a_flood_says_how_long_and_a_cut_that_it_may_work_later(sender, telegram: BotApi, note):
    telegram.faults.flood(7, "editMessageText")
    with pytest.raises(sending.Flooded) as error:
        await sender.show(note, "x", None)
    assert error.value.seconds == 7
    for fault in (telegram.faults.cut, lambda method: telegram.faults.error(502, method)):
        fault("editMessageText")
        with pytest.raises(sending.Later):
            await sender.show(note, "x", None)


async def test_what_is_no_picture_is_unfit(sender, anna, note):
    with pytest.raises(sending.Unfit):
        await sender.show_file(note, Kind.PHOTO, attachment(b"no picture at all"), "x", None)
    assert anna.last.text == "waiting"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Forbidden("Forbidden: bot was blocked by the user"), sending.Blocked),
        (Forbidden("Forbidden: user is deactivated"), sending.Blocked),
        (BadRequest("Chat not found"), sending.Blocked),
        (BadRequest("Not enough rights to send photos to the chat"), sending.Blocked),
        (BadRequest("Message to edit not found"), sending.Vanished),
        (BadRequest("Message can't be edited"), sending.Vanished),
        (BadRequest("PHOTO_INVALID_DIMENSIONS"), sending.Unfit),
        (NetworkError("Request Entity Too Large"), sending.Unfit),
        (NetworkError("Bad Gateway"), sending.Later),
        (TimedOut(), sending.Later),
        (ChatMigrated(-100), sending.Moved),
    ],
)
def test_every_refusal_has_its_meaning(error, kind):
    assert type(sending.meaning(error)) is kind


@pytest.mark.parametrize("opted_in", ["0", "1"])
@pytest.mark.filterwarnings("ignore:Deprecated since version v22.2")
def test_seconds_of_a_flood_are_read_in_both_of_the_library_s_ways(opted_in, monkeypatch):
    monkeypatch.setenv("PTB_TIMEDELTA", opted_in)
    found = sending.meaning(RetryAfter(3))
    assert isinstance(found, sending.Flooded)
    assert found.seconds == 3
