"""The one way in: what a file is decides which door it passes, and a field's accept whether it may."""

from __future__ import annotations

import io
from contextlib import nullcontext

import pytest
from PIL import Image

from doors.audio import UnsupportedAudioType
from doors.base import FileRefused, UnsupportedFile, WrongMediaType
from doors.door import check_accepted, inspect
from doors.images import UnsupportedImageType
from doors.media_types import AUDIO_TYPES, IMAGE_TYPES, TEXT_TYPES
from doors.text import BrokenText, UnsupportedTextType
from tests.doors.sounds import silent_film, sound


def picture(kind: str = "PNG") -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (4, 3)).save(made, kind)
    return made.getvalue()


FILES = {
    "image/png": picture(),
    "audio/mpeg": sound("mp3"),
    "video/mp4": sound("mp4"),
    "text/plain": b"a haiku",
}


class NoSeeking(io.BytesIO):
    """A stream that goes forward only."""

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("media_type", FILES)
@pytest.mark.parametrize("stream", [io.BytesIO, NoSeeking])
def test_the_bytes_say_what_a_file_is(media_type, stream):
    assert inspect(stream(FILES[media_type])).media_type == media_type
    assert inspect(stream(FILES[media_type]), [media_type]).media_type == media_type


@pytest.mark.parametrize(
    ("data", "accept", "error"),
    [
        (picture("JPEG"), ["image/png"], WrongMediaType),
        (sound("ogg"), ["audio/mpeg"], WrongMediaType),
        (sound("mp4"), ["audio/mpeg", "audio/mp4"], WrongMediaType),
        (sound("mp3"), IMAGE_TYPES, UnsupportedImageType),
        (picture(), AUDIO_TYPES, UnsupportedAudioType),
        (picture(), TEXT_TYPES, UnsupportedTextType),
        (b"a\0b", TEXT_TYPES, BrokenText),
        (b"a haiku", [*IMAGE_TYPES, *AUDIO_TYPES], UnsupportedFile),
        (b"a haiku", ["application/octet-stream"], WrongMediaType),
        (b"a haiku", [], WrongMediaType),
    ],
    ids=[
        "jpeg-for-png", "ogg-for-mp3", "film-for-sound", "sound-for-picture", "picture-for-sound",
        "picture-for-text", "binary-for-text", "text-for-others", "text-for-network", "text-for-nothing",
    ],
)  # fmt: skip
def test_a_field_gets_what_it_takes_and_nothing_else(data, accept, error):
    with pytest.raises(error) as refused:
        inspect(io.BytesIO(data), accept)
    assert refused.value.code


def test_what_is_wrong_with_the_type_names_both():
    with pytest.raises(WrongMediaType, match=r"^This field takes image/png, not image/jpeg\.$") as refused:
        check_accepted("image/jpeg", ["image/png"])
    assert refused.value.code == "wrong_media_type"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"%PDF-1.7", "a PDF document"),
        (b"MThd\0\0\0\6", "a MIDI file"),
        (b"\0\1\2\3" * 10, "a type that we know"),
        (b"<html>", "a web page"),
    ],
    ids=["empty", "pdf", "midi", "unknown", "page"],
)
def test_where_everything_is_taken_it_is_said_what_there_is(data, said):
    with pytest.raises(UnsupportedFile, match=said) as refused:
        inspect(io.BytesIO(data))
    for family in ("PNG", "MP3", "UTF-8"):
        assert family in str(refused.value)


def test_room_is_asked_for_what_takes_memory():
    asked: list[int] = []

    def room(size: int) -> nullcontext:
        asked.append(size)
        return nullcontext()

    for data in FILES.values():
        inspect(io.BytesIO(data), room=room)
    assert len(asked) == 3  # a text is read in pieces


def test_every_refusal_has_a_code_and_a_sentence():
    for data in (b"", silent_film(), picture()[:40], b"caf\xe9", sound("wav")[:1000]):
        with pytest.raises(FileRefused) as refused:
            inspect(io.BytesIO(data))
        assert refused.value.code
        assert str(refused.value).endswith(".")
