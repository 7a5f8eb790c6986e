"""What a message brings, as the bot understands it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from telegram import Audio, Chat, Document, Message, Video, Voice

from bot.media_types import file_of


def message(**more) -> Message:
    return Message(1, datetime.now(UTC), Chat(1, "private"), **more)


def document(mime: str | None) -> Message:
    return message(document=Document("id", "unique", mime_type=mime))


@pytest.mark.parametrize(
    ("sent", "media_type"),
    [
        (message(audio=Audio("id", "unique", 3, mime_type="audio/x-m4a")), "audio/mp4"),
        (message(audio=Audio("id", "unique", 3)), "audio/mpeg"),
        (message(voice=Voice("id", "unique", 3)), "audio/ogg"),
        (message(video=Video("id", "unique", 1, 1, 3, mime_type="video/quicktime")), "video/quicktime"),
        (document("audio/x-wav"), "audio/wav"),
        (document("text/plain"), "text/plain"),
        (document(None), ""),
    ],
    ids=["m4a", "unnamed", "voice", "film", "wav", "text", "unknown"],
)
def test_a_file_is_called_as_the_api_calls_it(sent, media_type):
    assert file_of(sent) == ("id", media_type)


def test_a_text_brings_none():
    assert file_of(message(text="hello")) is None
    assert file_of(None) is None
