"""The audio door: what passes, what does not and why, and that no file gets it to do anything else."""

from __future__ import annotations

import io
import random
import struct
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doors.audio import (
    MEMORY_BYTES,
    AudioRefused,
    AudioTooLarge,
    AudioTooLong,
    AudioTooShort,
    BrokenAudio,
    NoSound,
    ProtectedAudio,
    UnsupportedAudioType,
    inspect_audio,
)
from doors.base import FileInfo, NoRoom
from doors.child import Limits
from tests.doors.sounds import FILM_SIZE, KINDS, at_rate, endless, silent_film, sound
from tests.examples import examples

MEDIA_TYPES = {
    "mp3": "audio/mpeg",
    "mp2": "audio/mpeg",
    "m4a": "audio/mp4",
    "alac": "audio/mp4",
    "aac": "audio/aac",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "float": "audio/wav",
    "aiff": "audio/aiff",
    "webm": "audio/webm",
    "mka": "audio/x-matroska",
    "wma": "audio/x-ms-wma",
    "ac3": "audio/ac3",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm film": "video/webm",
    "mkv": "video/x-matroska",
}


def inspect(data: bytes, **more: object) -> FileInfo:
    return inspect_audio(io.BytesIO(data), **more)


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def id3(size: int) -> bytes:
    return b"ID3\4\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0))


def with_cover(data: bytes, size: int) -> bytes:
    """An MP3 with a picture of so many bytes in its tag."""
    content = b"\0image/png\0\3\0\x89PNG\r\n\x1a\n"
    content += b"\1" * (size - len(content))
    frame = b"APIC" + id3(len(content))[6:] + b"\0\0" + content
    return id3(len(frame)) + frame + data


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_that_is_meant_passes(kind):
    info = inspect(sound(kind))
    assert info.media_type == MEDIA_TYPES[kind]
    assert info.seconds == pytest.approx(2.0, abs=0.1)
    assert info.declared_seconds is None
    assert (info.width, info.height) == (FILM_SIZE if KINDS[kind][3] else (None, None))


@pytest.mark.parametrize("kind", ["mp3", "m4a", "flac", "wav"])
def test_a_length_that_is_declared_is_told_to_the_sample(kind):
    """Encoders add up to 50 ms, which nobody hears: the header says what is meant."""
    assert inspect(sound(kind)).seconds == 2.0


@pytest.mark.parametrize(
    "data",
    [
        at_rate(8_000),
        at_rate(192_000, seconds=0.5),
        sound("flac", layout="5.1"),
        with_cover(sound("mp3"), 4_000_000),
        id3(300) + b"\0" * 300 + sound("flac"),
        sound("m4a", movflags="faststart"),
        sound("mp4", movflags="frag_keyframe+empty_moov"),
        sound("mp3", write_xing="0"),
    ],
    ids=["telephone", "192kHz", "surround", "cover", "tag", "index-first", "fragments", "without-header"],
)
def test_unusual_ones_pass(data):
    info = inspect(data)
    assert info.media_type.startswith(("audio/", "video/mp4"))
    assert info.seconds is not None


def test_paths_and_streams_are_read_and_left_at_their_beginning(tmp_path: Path):
    data = sound("ogg")
    (tmp_path / "name.jpg").write_bytes(data)
    assert inspect_audio(tmp_path / "name.jpg").media_type == "audio/ogg"
    assert inspect_audio(str(tmp_path / "name.jpg")).media_type == "audio/ogg"
    stream = io.BytesIO(data)
    stream.seek(7)
    assert inspect_audio(stream).media_type == "audio/ogg"
    assert stream.tell() == 0
    assert stream.getvalue() == data


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (b"", UnsupportedAudioType, "empty"),
        (b"hello, I am a song", UnsupportedAudioType, "text"),
        (b"MThd\0\0\0\6\0\1\0\1\0\x60", UnsupportedAudioType, "MIDI .* render it first"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), UnsupportedAudioType, "a picture"),
        (b"RIFF\0\0\0\0AVI LIST", UnsupportedAudioType, "an AVI film"),
        (b"#!AMR\n", UnsupportedAudioType, "an AMR recording"),
        (b"<html><body>", UnsupportedAudioType, "a web page"),
        (random.Random(3).randbytes(5000), UnsupportedAudioType, "not a sound file of a type that we know"),
        (silent_film(), NoSound, "no sound"),
        (sound("wav", seconds=0.1), AudioTooShort, "0.10 seconds"),
        (sound("m4a")[:9000], BrokenAudio, "cut off: its index"),
        (id3(2**28 - 1) + sound("mp3"), BrokenAudio, "cut off"),
        (sound("m4a").replace(b"mp4a", b"drms"), ProtectedAudio, "protected"),
        (sound("m4a").replace(b"mp4a", b"enca"), ProtectedAudio, "protected"),
        (at_rate(2_000), UnsupportedAudioType, "2,000 samples"),
        (sound("mp3")[:30], BrokenAudio, "cut off: there is a tag"),
        (sound("mp3")[:90], BrokenAudio, "damaged"),
    ],
    ids=[
        "empty", "text", "midi", "picture", "avi", "amr", "page", "noise", "silent-film", "short", "no-index",
        "tag-alone", "drms", "enca", "slow", "tag-cut", "stub",
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(data, error, said):
    with pytest.raises(error, match=said) as refused:
        inspect(data)
    assert refused.value.code
    assert str(refused.value).endswith(".")


def test_a_part_of_a_song_is_taken_where_there_is_enough_of_it():
    """A third of what it declares; what there is, is told, and so is what was declared."""
    data = sound("mp3", seconds=6.0)
    info = inspect(data[: len(data) // 2])
    assert info.seconds == pytest.approx(3.0, abs=0.1)
    assert info.declared_seconds == 6.0
    with pytest.raises(BrokenAudio, match=r"1\.\d\d of the 6.00 seconds"):
        inspect(data[: len(data) // 5])


def test_a_length_is_refused_as_declared_and_as_counted():
    with pytest.raises(AudioTooLong, match="20 minutes"):
        inspect(endless())
    with pytest.raises(AudioTooLong, match="20 minutes"):
        inspect(sound("aac") * 700)  # what an ADTS declares is a guess by its size
    with pytest.raises(AudioTooLong, match=r"longer than the 0\.025 minutes"):
        inspect(sound("wav"), most_seconds=1.5)


def test_what_it_takes_is_asked_for_and_may_be_refused():
    asked = []
    inspect(sound("mp3"), room=lambda size: asked.append(size) or nullcontext())
    assert asked == [MEMORY_BYTES]

    def none(size: int):
        raise NoRoom(size, 1_000_000)

    with pytest.raises(AudioTooLarge, match="134 MB of memory; 1 MB are allowed"):
        inspect(sound("mp3"), room=none)


def ends_well(data: bytes) -> None:
    """Whatever it is, the door has an answer for it. One out of time would be NotInspected."""
    refused = None
    try:
        info = inspect(data)
    except AudioRefused as error:
        refused = error
    if refused is None:
        assert 0.2 <= (info.seconds or 0) <= 1200
    else:
        assert refused.code
        assert str(refused).isprintable()


def nested(depth: int) -> bytes:
    made = b""
    for number in range(depth):
        made = box(b"moov" if number % 2 else b"trak", made)
    return box(b"ftyp", b"M4A \0\0\0\0M4A ") + made


def nested_matroska(depth: int) -> bytes:
    made = b""
    for _ in range(depth):
        made = b"\x18\x53\x80\x67\x08" + len(made).to_bytes(4, "big") + made
    return sound("mka")[:40] + made


@pytest.mark.parametrize(
    "data",
    [
        nested(20_000),
        box(b"ftyp", b"M4A \0\0\0\0M4A ") + box(b"moov", box(b"trak") * 300_000),
        box(b"ftyp", b"M4A \0\0\0\0M4A ") + struct.pack(">I4sQ", 1, b"moov", 2**63),
        nested_matroska(5_000),
        with_cover(sound("mp3"), 30_000_000),
        sound("flac")[:42] + b"\x06\xff\xff\xff" + bytes(1000),
        b"OggS" + b"\xff" * 100_000,
        b"fLaC" + b"\xff" * 100_000,
        b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff" + b"\xff" * 100_000,
        b"\xff\xfb\x90\x00" * 100_000,
        sound("ogg") * 500,
    ],
    ids=[
        "deep", "many", "endless", "deep-mkv", "cover", "flac-block", "ogg", "flac", "wav", "frames",
        "chained",
    ],
)  # fmt: skip
def test_files_that_are_built_to_exhaust_end_within_the_limits(data):
    ends_well(data)


def test_without_memory_nothing_is_read():
    with pytest.raises(BrokenAudio, match="more memory"):
        inspect(with_cover(sound("mp3"), 10_000_000), limits=Limits(memory_bytes=20 * 2**20))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello",
        b'{"facts": null}',
        b'{"facts": {"codec": "mp3", "known": true, "rate": 1, "channels": 2, "declared": NaN}}',
        b'{"facts": {"codec": "mp3", "known": "yes", "rate": 1, "channels": 2, "declared": null}}',
        b'{"facts": {"codec": "mp3", "known": true, "rate": 1, "channels": 2, "declared": null, "more": 1}}',
        b"[" * 4000,
    ],
    ids=["nothing", "no-json", "no-facts", "nan", "no-bool", "unknown", "deep"],
)
def test_what_a_child_says_is_not_believed(monkeypatch, answer):
    """Whoever took it over may say anything; it is refused, and nobody is confused by it."""
    monkeypatch.setattr("doors.audio.ask", lambda *_: answer)
    with pytest.raises(BrokenAudio):
        inspect(sound("mp3"))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("mp2", "float")])
@pytest.mark.parametrize("part", [0.02, 0.4, 0.9])
def test_truncated_files_have_an_answer(kind, part):
    data = sound(kind)
    ends_well(data[: int(len(data) * part)])


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(sorted(KINDS)),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=40),
    early=st.booleans(),
)
def test_bytes_that_were_changed_have_an_answer(kind, flips, early):
    """Anywhere, or within the headers, where they do the most."""
    data = bytearray(sound(kind, seconds=0.5))
    for place, value in flips:
        data[int(place * (min(len(data), 600) - 1 if early else len(data) - 1))] = value
    ends_well(bytes(data))
