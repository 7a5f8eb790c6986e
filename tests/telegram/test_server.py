"""Single calls, as python-telegram-bot makes them, and what the people see of them."""

from __future__ import annotations

import asyncio
import io
from datetime import timedelta

import httpx
import pytest
from PIL import Image
from telegram import (
    Bot,
    BotCommand,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    Message,
    PhotoSize,
)
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, NetworkError

from tests.telegram.clients import use
from tests.telegram.conftest import picture
from tests.telegram.people import User
from tests.telegram.server import BotApi

MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(100)


def keyboard(*labels: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([[InlineKeyboardButton(one, callback_data=one.lower()) for one in labels]])


def refused(server: BotApi, work) -> str:
    with pytest.raises(BadRequest) as caught:
        use(server, work)
    return caught.value.message


def test_who_the_bot_is_and_its_commands(telegram: BotApi) -> None:
    async def work(bot: Bot) -> None:
        assert (await bot.get_me()).username == "AtelierBot"
        assert await bot.set_my_commands([BotCommand("jobs", "Your jobs")])
        await bot.set_my_commands([BotCommand("jobs", "Deine Bilder")], language_code="de")
        assert [one.description for one in await bot.get_my_commands()] == ["Your jobs"]
        assert [one.description for one in await bot.get_my_commands(language_code="de")] == ["Deine Bilder"]
        assert await bot.get_my_commands(language_code="ru") == ()

    use(telegram, work)


@pytest.mark.parametrize("token", ["110201543:wrong", "1:AAH"])
def test_a_wrong_token(telegram: BotApi, token: str) -> None:
    with pytest.raises(InvalidToken):
        use(telegram, lambda bot: bot.get_me(), token)
    [call] = telegram.calls.of("getMe")
    assert (call.status, call.description) == (401, "Unauthorized")


def test_envelopes(telegram: BotApi, anna: User) -> None:
    base = f"{telegram.base_url}{telegram.token}"
    good = httpx.post(f"{base}/sendmessage", json={"chat_id": anna.id, "text": "hi"})
    assert good.json()["ok"]
    assert good.json()["result"]["text"] == "hi"
    assert httpx.get(f"{base}/sendMessage", params={"chat_id": 1, "text": "hi"}).json() == {
        "ok": False,
        "error_code": 400,
        "description": "Bad Request: chat not found",
    }
    assert httpx.get(f"{base}/nonsense").json()["description"] == "Not Found: method not found"
    assert httpx.get(f"{telegram.base_url}nonsense/getMe").status_code == 404


def test_a_text_with_buttons_and_a_reply(telegram: BotApi, anna: User) -> None:
    asked = anna.say("hello")

    async def work(bot: Bot) -> Message:
        return await bot.send_message(
            anna.id,
            "<b>Hello</b> 🪐 &amp; more",
            "HTML",
            reply_markup=keyboard("Go"),
            reply_to_message_id=asked.id,
        )

    sent = use(telegram, work)
    assert sent.text == "Hello 🪐 & more"
    assert anna.last.id == sent.message_id
    assert anna.last.reply_to == asked.id
    assert anna.last.labels == ["Go"]
    assert anna.last.entities == [{"type": "bold", "offset": 0, "length": 5}]


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "text is empty"), ("   ", "text is empty"), ("a" * 4097, "message is too long")],
)
def test_texts_that_are_refused(telegram: BotApi, anna: User, text: str, words: str) -> None:
    assert words in refused(telegram, lambda bot: bot.send_message(anna.id, text)).lower()


@pytest.mark.parametrize("data", ["", "x" * 65, "ж" * 33])
def test_button_data_that_is_refused(telegram: BotApi, anna: User, data: str) -> None:
    markup = InlineKeyboardMarkup([[InlineKeyboardButton("a", callback_data=data)]])
    words = refused(telegram, lambda bot: bot.send_message(anna.id, "hi", reply_markup=markup))
    assert words.lower() == "button_data_invalid"


def test_a_button_cannot_lead_to_this_machine(telegram: BotApi, anna: User) -> None:
    markup = InlineKeyboardMarkup([[InlineKeyboardButton("a", url="http://localhost:8000/x")]])
    words = refused(telegram, lambda bot: bot.send_message(anna.id, "hi", reply_markup=markup))
    assert "wrong http url" in words.lower()


def test_a_photo_has_sizes_and_can_be_sent_again_by_its_id(telegram: BotApi, anna: User) -> None:
    async def work(bot: Bot) -> tuple[Message, Message, bytes]:
        first = await bot.send_photo(anna.id, picture(2000, 1000), caption="one")
        again = await bot.send_photo(anna.id, first.photo[0].file_id)
        file = await bot.get_file(first.photo[-1].file_id)
        return first, again, bytes(await file.download_as_bytearray())

    first, again, data = use(telegram, work)
    assert [(one.width, one.height) for one in first.photo] == [(90, 45), (320, 160), (800, 400), (1280, 640)]
    assert [one.file_unique_id for one in again.photo] == [one.file_unique_id for one in first.photo]
    assert again.photo[-1].file_id != first.photo[-1].file_id
    with Image.open(io.BytesIO(data)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (1280, 640))
    assert anna.last.media == data


def test_photos_that_are_refused(telegram: BotApi, anna: User) -> None:
    assert "too big for a photo" in refused(telegram, lambda b: b.send_photo(anna.id, bytes(10 * 2**20 + 1)))
    assert refused(telegram, lambda b: b.send_photo(anna.id, b"no picture")).lower() == "image_process_failed"
    words = refused(telegram, lambda b: b.send_photo(anna.id, picture(2100, 100)))
    assert words.lower() == "photo_invalid_dimensions"
    assert "wrong file identifier" in refused(telegram, lambda b: b.send_photo(anna.id, "nonsense")).lower()
    words = refused(telegram, lambda b: b.send_photo(anna.id, picture(), caption="a" * 1025))
    assert words.lower() == "message caption is too long"


def test_a_document_arrives_as_it_is(telegram: BotApi, anna: User) -> None:
    data = picture()

    async def work(bot: Bot) -> Message:
        return await bot.send_document(
            anna.id, data, filename="../../etc/<b>ż.png", caption="<b>no markup</b>"
        )

    sent = use(telegram, work)
    assert anna.last.media == data
    assert sent.document
    assert sent.document.file_size == len(data)
    assert isinstance(sent.document.thumbnail, PhotoSize)
    assert anna.last.text == "<b>no markup</b>"
    words = refused(telegram, lambda bot: bot.send_photo(anna.id, sent.document.file_id))
    assert words.lower() == "can't use file of type document as photo"


def test_uploads_over_50_megabytes(telegram: BotApi, anna: User) -> None:
    with pytest.raises(NetworkError, match="Request Entity Too Large"):
        use(telegram, lambda bot: bot.send_document(anna.id, bytes(50 * 2**20 + 1), write_timeout=60))
    assert anna.messages[-1].text == "/start"


def test_files_over_20_megabytes_cannot_be_fetched(telegram: BotApi, anna: User) -> None:
    shown = anna.send_document(bytes(20 * 2**20 + 1), "large.bin")
    words = refused(telegram, lambda bot: bot.get_file(shown.json["document"]["file_id"]))
    assert words.lower() == "file is too big"


def test_animations_and_videos(telegram: BotApi, anna: User) -> None:
    gif = picture(64, 48, "GIF")

    async def work(bot: Bot) -> list[Message]:
        return [
            await bot.send_animation(anna.id, gif),
            await bot.send_animation(anna.id, MP4, width=640, height=480, duration=3, filename="a.mp4"),
            await bot.send_document(anna.id, gif, filename="a.gif"),
            await bot.send_document(anna.id, gif, filename="a.gif", disable_content_type_detection=True),
            await bot.send_animation(anna.id, b"neither"),
            await bot.send_video(anna.id, MP4, duration=7, filename="a.mp4"),
        ]

    sent = use(telegram, work)
    assert [one.kind for one in anna.messages[1:]] == [
        "animation", "animation", "animation", "document", "document", "video"
    ]  # fmt: skip
    assert sent[0].animation
    assert sent[0].animation.width == 64
    assert sent[0].document
    assert sent[1].animation
    assert sent[1].animation.duration == timedelta(seconds=3)
    assert sent[5].video
    assert sent[5].video.duration == timedelta(seconds=7)


def test_an_album(telegram: BotApi, anna: User) -> None:
    async def work(bot: Bot) -> tuple[Message, ...]:
        known = await bot.send_photo(anna.id, picture())
        return await bot.send_media_group(
            anna.id,
            [InputMediaPhoto(picture(200, 100), caption="*two*", parse_mode="MarkdownV2"),
             InputMediaPhoto(known.photo[-1].file_id)],
        )  # fmt: skip

    sent = use(telegram, work)
    assert {one.album for one in anna.messages[-2:]} == {sent[0].media_group_id}
    assert [one.text for one in anna.messages[-2:]] == ["two", ""]


def test_albums_that_are_refused(telegram: BotApi, anna: User) -> None:
    one = InputMediaPhoto(picture(20, 20))
    for media, words in [
        ([one], "2-10"),
        ([one] * 11, "too many messages"),
        ([one, InputMediaDocument(b"x")], "can't be mixed"),
        ([one, InputMediaPhoto(b"x")], 'message #2 with the error message "image_process_failed"'),
    ]:
        assert words in refused(telegram, lambda bot, m=media: bot.send_media_group(anna.id, m)).lower()
    assert len(anna.messages) == 1


def test_edits(telegram: BotApi, anna: User) -> None:
    async def work(bot: Bot) -> None:
        sent = await bot.send_message(anna.id, "queued", reply_markup=keyboard("Cancel"))
        await sent.edit_text("running", reply_markup=keyboard("Cancel"))
        await sent.edit_media(InputMediaPhoto(picture(), caption="50 %"), reply_markup=keyboard("Cancel"))
        await sent.edit_caption("done", reply_markup=keyboard("Again", "Use"))
        await sent.edit_reply_markup(keyboard("Again"))

    use(telegram, work)
    assert [one.text for one in anna.last.history] == ["queued", "running", "50 %", "done"]
    assert (anna.last.kind, anna.last.text, anna.last.labels) == ("photo", "done", ["Again"])
    assert anna.last.edited_at
    assert len(anna.messages) == 2


def test_edits_that_are_refused(telegram: BotApi, anna: User) -> None:
    async def send(bot: Bot) -> tuple[Message, Message]:
        return await bot.send_message(anna.id, "a"), await bot.send_photo(anna.id, picture())

    text, photo = use(telegram, send)
    edit = {"chat_id": anna.id, "message_id": text.message_id}
    assert "not modified" in refused(telegram, lambda b: b.edit_message_text("a", **edit))
    assert "no text" in refused(telegram, lambda b: b.edit_message_text("b", anna.id, photo.message_id))
    same = InputMediaPhoto(photo.photo[-1].file_id)
    assert "not modified" in refused(
        telegram, lambda b: b.edit_message_media(same, anna.id, photo.message_id)
    )
    assert "to edit not found" in refused(telegram, lambda b: b.edit_message_text("b", anna.id, 999))
    mine = anna.messages[0].id
    assert "can't be edited" in refused(telegram, lambda b: b.edit_message_text("b", anna.id, mine))


def test_an_edit_without_a_keyboard_takes_it_away(telegram: BotApi, anna: User) -> None:
    async def work(bot: Bot) -> None:
        sent = await bot.send_message(anna.id, "a", reply_markup=keyboard("Go"))
        await sent.edit_text("b")

    use(telegram, work)
    assert anna.last.labels == []


def test_deleting(telegram: BotApi, anna: User) -> None:
    async def work(bot: Bot) -> None:
        sent = await bot.send_message(anna.id, "a")
        await sent.delete()
        await sent.delete()

    assert refused(telegram, work).lower() == "message to delete not found"
    assert [one.text for one in anna.messages] == ["/start"]


def test_who_cannot_be_written_to(telegram: BotApi, anna: User) -> None:
    stranger = telegram.user("Olga")
    assert refused(telegram, lambda b: b.send_message(stranger.id, "a")).lower() == "chat not found"
    anna.block_bot()
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        use(telegram, lambda bot: bot.send_message(anna.id, "a"))
    anna.unblock_bot()
    use(telegram, lambda bot: bot.send_message(anna.id, "a"))
    group = telegram.group("Painters", anna)
    group.kick_bot(anna)
    with pytest.raises(Forbidden, match="bot was kicked from the group chat"):
        use(telegram, lambda bot: bot.send_message(group.id, "a"))


def test_a_group_that_becomes_a_supergroup(telegram: BotApi, anna: User) -> None:
    group = telegram.group("Painters", anna)
    new = group.upgrade()
    with pytest.raises(ChatMigrated) as caught:
        use(telegram, lambda bot: bot.send_message(group.id, "a"))
    assert caught.value.new_chat_id == new.id
    use(telegram, lambda bot: bot.send_message(new.id, "a"))
    assert new.messages[-1].text == "a"


def test_files_by_url(telegram: BotApi, anna: User) -> None:
    shown = anna.send_document(picture(), "a.png")

    async def url(bot: Bot) -> str:
        return str((await bot.get_file(shown.json["document"]["file_id"])).file_path)

    address = use(telegram, url)
    words = refused(telegram, lambda bot: bot.send_photo(anna.id, address))
    assert words.lower() == "failed to get http url content"
    telegram.reachable.add(telegram.url.removeprefix("http://"))
    words = refused(telegram, lambda bot: bot.send_photo(anna.id, address))
    assert words.lower() == "wrong type of the web page content"


def test_the_log_of_calls(telegram: BotApi, anna: User) -> None:
    async def work(bot: Bot) -> None:
        await asyncio.gather(*(bot.send_chat_action(anna.id, "typing") for _ in range(5)))
        await bot.send_photo(anna.id, picture())

    use(telegram, work)
    assert telegram.calls.busiest(1.0, "sendChatAction", chat_id=anna.id) == 5
    [call] = telegram.calls.of("sendPhoto")
    assert (call.status, call.chat_id, call.files) == (200, anna.id, {"photo": len(picture())})
    assert call.seconds is not None
    assert 0 < call.seconds < 5
    assert [action for _, action in anna.chat.actions] == ["typing"] * 5
