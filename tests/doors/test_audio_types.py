"""What sound files are known by: their first bytes, and nothing else."""

from __future__ import annotations

import pytest

from doors import audio_types, image_types
from doors.audio_types import id3_size, name_of, says_its_length, sniff
from doors.media_types import AUDIO_TYPES, EXTENSIONS, IMAGE_TYPES, TEXT_TYPES


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"fLaC\0\0\0\x22", "audio/flac"),
        (b"OggS\0\2", "audio/ogg"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"RF64\xff\xff\xff\xffWAVEds64", "audio/wav"),
        (b"FORM\0\0\0\0AIFCCOMM", "audio/aiff"),
        (b"\0\0\0\x1cftypM4A ", "audio/mp4"),
        (b"\0\0\0\x14ftypqt  ", "audio/mp4"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "audio/mp4"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm", "audio/webm"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska", "audio/x-matroska"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9", "audio/x-ms-wma"),
        (b"\x0b\x77\x00\x00\x00\x40", "audio/ac3"),
        (b"\x0b\x77\x00\x00\x00\x80", "audio/eac3"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"\xff\xfd\x80\x04", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
    ],
    ids=[
        "flac", "ogg", "wav", "rf64", "aifc", "m4a", "quicktime", "old-quicktime", "webm", "matroska", "asf",
        "ac3", "eac3", "mp3", "mp2", "adts",
    ],
)  # fmt: skip
def test_a_container_is_known_by_its_first_bytes(head, media_type):
    found = sniff(head)
    assert found is not None
    assert found.sound == media_type


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"a text",
        b"\xff\xfeh\0e\0l\0l\0o\0",  # UTF-16
        b"\xff\xd8\xff\xe0",  # JPEG
        b"\0\0\0\x1cftypavif\0\0\0\0avif",
        b"\0\0\0\x1cftypheic\0\0\0\0heic",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"\xff\xff\xff\xff",
    ],
    ids=["nothing", "text", "utf-16", "jpeg", "avif", "heic", "webp", "ones"],
)
def test_others_are_no_sounds(head):
    assert sniff(head) is None


def test_a_tag_says_how_long_it_is():
    assert id3_size(b"ID3\4\0\0\0\0\2\1more") == 10 + 257
    assert id3_size(b"ID3\4\0\0\0\0\xff\1more") == 0  # no size that a tag can have
    assert id3_size(b"ID3") == 0


def test_an_mp3_declares_its_length_in_a_first_frame_alone():
    mp3 = sniff(b"\xff\xfb\x90\x00")
    assert mp3 is not None
    assert says_its_length(mp3, b"\xff\xfb\x90\x00" + bytes(32) + b"Xing")
    assert not says_its_length(mp3, b"\xff\xfb\x90\x00" + bytes(200) + b"Xing")


def test_a_name_is_found_for_what_is_not_taken():
    assert name_of(b"G" + bytes(187) + b"G") == "an MPEG film"
    assert name_of(b"Good morning") == "text"
    assert name_of(b"%PDF-1.7") == "a PDF document"


def test_every_type_belongs_to_one_family_and_has_an_extension_of_its_own():
    types = [*IMAGE_TYPES, *AUDIO_TYPES, *TEXT_TYPES]
    assert len(types) == len(set(types))
    assert sorted(types) == sorted(EXTENSIONS)
    assert len(set(EXTENSIONS.values())) == len(types)
    assert image_types.EXTENSIONS.keys().isdisjoint(audio_types.EXTENSIONS)
