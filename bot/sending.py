"""Messages to Telegram: what may be shown where, and what its refusals mean.

A message of text becomes one with a picture by editMessageMedia ("or to add media to text messages",
Bot API), and never text again: then its text is the caption. So the message that shows a job is text until
there is a preview or a result, and is edited into a picture then: the chat keeps one message a job and
nothing is deleted. An older server of one's own refuses that edit (NoMedia): the picture is sent anew, and
the message of text deleted.

SendError
├── Blocked    nobody can be written to there any more
├── Vanished   the message to edit is gone, or too old
├── NoMedia    this server makes no picture of a text
├── Unfit      Telegram does not take this file as what it was sent as, or not at all
├── Moved      the group has another id now
└── Later      another time it may work
    └── Flooded    and not before that
"""

from __future__ import annotations

import contextlib
import datetime
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, BinaryIO

from telegram import (
    Bot,
    InlineKeyboardMarkup,
    InputFile,
    InputMediaAnimation,
    InputMediaAudio,
    InputMediaDocument,
    InputMediaPhoto,
    LinkPreviewOptions,
    Message,
)
from telegram.constants import ParseMode
from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter, TelegramError

from bot.open_jobs import JobNote

#: A photo of the Bot API: bytes, width and height together, and how many times one the other (sendPhoto).
PHOTO_BYTES = 10_000_000
PHOTO_SIDES = 10_000
PHOTO_RATIO = 20
#: Fewest and most files of an album (sendMediaGroup).
ALBUM = (2, 10)

#: Seconds an upload may stand still. Telegram answers when it has looked at the whole of it; what timed out
#: may have arrived, and would arrive twice.
_UPLOAD: dict[str, Any] = {"read_timeout": 120.0, "write_timeout": 120.0, "connect_timeout": 10.0}

_VANISHED = (
    "message to edit not found",
    "message can't be edited",
    "message_id_invalid",
    "message identifier is not specified",
)
_BLOCKED = (
    "chat not found",
    "user not found",
    "peer_id_invalid",
    "group chat was deactivated",
    "not enough rights",
    "have no rights",
    "need administrator rights",
    "chat_write_forbidden",
    "chat_restricted",
    "topic_closed",
    "topic_deleted",
    "message thread not found",
)
_TOO_LARGE = ("request entity too large", "file is too big")

_log = logging.getLogger(__name__)


class SendError(Exception):
    """Telegram did not take it."""


class Blocked(SendError):
    """Nobody can be written to there any more."""


class Vanished(SendError):
    """The message to edit is gone, or too old."""


class NoMedia(SendError):
    """This server makes no picture of a text."""


class Unfit(SendError):
    """Not this file, or not as what it was sent as."""


class Moved(SendError):
    """The group has another id now."""

    def __init__(self, chat_id: int) -> None:
        super().__init__(f"it is chat {chat_id} now")
        self.chat_id = chat_id


class Later(SendError):
    """Another time it may work."""


class Flooded(Later):
    """Not before `seconds` have passed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"not before {seconds:g} s")
        self.seconds = seconds


class _NotModified(SendError):
    """It shows that already."""


class _OtherKind(SendError):
    """Its text is a caption, or its caption a text."""


class Kind(StrEnum):
    """As what a file is sent."""

    PHOTO = "photo"
    DOCUMENT = "document"
    ANIMATION = "animation"
    AUDIO = "audio"


@dataclass(frozen=True)
class Attachment:
    """A file to send, read as it is sent: it is never in memory as a whole."""

    name: str
    stream: BinaryIO

    def input(self, *, attach: bool = False) -> InputFile:
        """From its beginning, as python-telegram-bot takes it."""
        self.stream.seek(0)
        return InputFile(self.stream, filename=self.name, attach=attach, read_file_handle=False)


class Sender:
    """One bot's messages. Every call raises the errors above, and none of python-telegram-bot's."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot

    async def show(self, note: JobNote, text: str, keyboard: InlineKeyboardMarkup | None) -> bool:
        """Edit the text of a job's message, wherever it stands; whether it stands under a picture."""
        for caption in (note.is_photo, not note.is_photo):
            try:
                with _translated():
                    await self._edit(note, text, keyboard, caption=caption)
            except _NotModified:
                return caption
            except _OtherKind:
                continue  # a process died after it had made a picture of it, and before it was noted
            return caption
        raise Vanished("neither text nor caption")

    async def show_file(
        self,
        note: JobNote,
        kind: Kind,
        attachment: Attachment,
        text: str,
        keyboard: InlineKeyboardMarkup | None,
    ) -> None:
        """Turn a job's message into this file, or one it had into this one; done twice it is as done once."""
        with contextlib.suppress(_NotModified), _translated():
            await self._bot.edit_message_media(
                _media(kind, attachment, text),
                chat_id=note.chat_id,
                message_id=note.message_id,
                reply_markup=keyboard,
                **_UPLOAD,
            )

    async def send_text(self, note: JobNote, text: str, keyboard: InlineKeyboardMarkup | None = None) -> int:
        """A new message; its id."""
        with _translated():
            sent = await self._bot.send_message(
                text=text,
                reply_markup=keyboard,
                parse_mode=ParseMode.HTML,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
                **_where(note),
            )
        return sent.message_id

    async def send_file(
        self,
        note: JobNote,
        kind: Kind,
        attachment: Attachment,
        text: str = "",
        keyboard: InlineKeyboardMarkup | None = None,
    ) -> int:
        """A new message with a file; its id."""
        more: dict[str, Any] = {
            "caption": text or None,
            "parse_mode": ParseMode.HTML,
            "reply_markup": keyboard,
            **_where(note),
            **_UPLOAD,
        }
        with _translated():
            sent: Message
            if kind is Kind.PHOTO:
                sent = await self._bot.send_photo(photo=attachment.input(), **more)
            elif kind is Kind.ANIMATION:
                sent = await self._bot.send_animation(animation=attachment.input(), **more)
            elif kind is Kind.AUDIO:
                sent = await self._bot.send_audio(audio=attachment.input(), **more)
            else:
                sent = await self._bot.send_document(
                    document=attachment.input(), disable_content_type_detection=True, **more
                )
        return sent.message_id

    async def send_album(
        self, note: JobNote, kind: Kind, attachments: Sequence[Attachment], text: str = ""
    ) -> None:
        """Two to ten photos, or as many documents, as one. Their text is the first one's caption."""
        captions = [text, *[""] * (len(attachments) - 1)]
        media = [_media(kind, one, caption) for one, caption in zip(attachments, captions, strict=True)]
        with _translated():
            await self._bot.send_media_group(media=media, **_where(note), **_UPLOAD)  # type: ignore[arg-type]

    async def delete(self, note: JobNote) -> None:
        """Take a job's message away where that is possible, and leave it where it is not."""
        try:
            with _translated():
                await self._bot.delete_message(chat_id=note.chat_id, message_id=note.message_id)
        except SendError as error:
            _log.info("message %s of chat %s stays: %s", note.message_id, note.chat_id, error)

    async def _edit(
        self, note: JobNote, text: str, keyboard: InlineKeyboardMarkup | None, *, caption: bool
    ) -> None:
        place: dict[str, Any] = {"chat_id": note.chat_id, "message_id": note.message_id}
        if caption:
            await self._bot.edit_message_caption(
                caption=text, parse_mode=ParseMode.HTML, reply_markup=keyboard, **place
            )
        else:
            await self._bot.edit_message_text(
                text,
                parse_mode=ParseMode.HTML,
                reply_markup=keyboard,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
                **place,
            )


def _where(note: JobNote) -> dict[str, Any]:
    return {
        "chat_id": note.chat_id,
        "message_thread_id": note.thread_id,
        "reply_to_message_id": note.reply_to,
        "allow_sending_without_reply": True,
    }


def _media(
    kind: Kind, attachment: Attachment, text: str
) -> InputMediaPhoto | InputMediaDocument | InputMediaAnimation | InputMediaAudio:
    more: dict[str, Any] = {"caption": text or None, "parse_mode": ParseMode.HTML}
    file: Any = attachment.input(attach=True)  # the annotation leaves InputFile out; the code takes it
    if kind is Kind.PHOTO:
        return InputMediaPhoto(file, **more)
    if kind is Kind.ANIMATION:
        return InputMediaAnimation(file, **more)
    if kind is Kind.AUDIO:
        return InputMediaAudio(file, **more)
    return InputMediaDocument(file, disable_content_type_detection=True, **more)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except TelegramError as error:
        raise meaning(error) from error


def meaning(error: TelegramError) -> SendError:
    """What is to be done about an error of python-telegram-bot."""
    text = error.message
    said = text.lower()
    if isinstance(error, RetryAfter):
        return Flooded(_seconds(error))
    if isinstance(error, ChatMigrated):
        return Moved(error.new_chat_id)
    if isinstance(error, Forbidden):
        return Blocked(text)
    if isinstance(error, BadRequest):
        return _bad_request(said)
    if isinstance(error, NetworkError) and any(words in said for words in _TOO_LARGE):
        return Unfit(text)
    return Later(text or type(error).__name__)


def _bad_request(said: str) -> SendError:
    if "message is not modified" in said:
        return _NotModified(said)
    if "there is no media in the message" in said:
        return NoMedia(said)
    if "there is no text in the message" in said or "there is no caption in the message" in said:
        return _OtherKind(said)
    for words, kind in ((_VANISHED, Vanished), (_BLOCKED, Blocked)):
        if any(part in said for part in words):
            return kind(said)
    return Unfit(said)


def _seconds(error: RetryAfter) -> float:
    wait = error.retry_after  # a timedelta only where PTB_TIMEDELTA asks for what will be the rule
    return wait.total_seconds() if isinstance(wait, datetime.timedelta) else float(wait)
