"""What Telegram calls a file's type, in the API's words: a guess by its name. The API looks at the bytes."""

from __future__ import annotations

from telegram import Message

#: Telegram's, and the names that phones and browsers make up.
_CALLED = {
    "application/ogg": "audio/ogg",
    "audio/aacp": "audio/aac",
    "audio/m4a": "audio/mp4",
    "audio/mp3": "audio/mpeg",
    "audio/opus": "audio/ogg",
    "audio/vnd.wave": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/x-aac": "audio/aac",
    "audio/x-aiff": "audio/aiff",
    "audio/x-flac": "audio/flac",
    "audio/x-m4a": "audio/mp4",
    "audio/x-wav": "audio/wav",
    "image/heif": "image/heic",
    "image/jpg": "image/jpeg",
    "text/markdown": "text/plain",
}


def file_of(message: Message | None) -> tuple[str, str] | None:
    """A message's sound, film or document: Telegram's id of the file, and its media type."""
    if message is None:
        return None
    for attached, usual in (
        (message.audio, "audio/mpeg"),
        (message.voice, "audio/ogg"),
        (message.video, "video/mp4"),
        (message.video_note, "video/mp4"),
        (message.document, ""),
    ):
        if attached is not None:
            said = getattr(attached, "mime_type", None) or usual
            return attached.file_id, _CALLED.get(said, said)
    return None
