"""The audio door: sounds, and films for their sound, pass `inspect_audio` before anything else reads them.

FFmpeg reads three hundred kinds of file, some of which name further files or addresses. So what a file is its
first bytes say (`doors.audio_types`), FFmpeg gets the one reader for that, and all of it happens in a child
process (`doors.child`). There every packet is counted and the first seconds are decoded; the rest is decoded
by the job, which may take the time.

    AudioRefused (a FileRefused)
    ├── UnsupportedAudioType    not a sound, or of a type or coding the house does not take
    ├── NoSound                 a film without sound
    ├── ProtectedAudio          it takes a key to play it
    ├── AudioTooLong
    ├── AudioTooShort
    ├── AudioTooLarge           looking at it takes too much memory
    └── BrokenAudio             cut off, corrupt, or built to exhaust its reader
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import BinaryIO

from pydantic import TypeAdapter, ValidationError

from doors.audio_boxes import Boxes
from doors.audio_facts import Answer, Facts
from doors.audio_types import SNIFF_SIZE, TAKEN, Container, id3_size, name_of, says_its_length, sniff
from doors.base import FileInfo, FileRefused, NoRoom, Room, Source, opened
from doors.child import BrokeDown, Limits, TooMuchWork, ask

LEAST_SECONDS = 0.2
MOST_SECONDS = 20 * 60.0
#: Samples a second, and channels (7.1).
_RATES = (4_000, 384_000)
_CHANNELS = 8
#: Seconds that are decoded to see that they can be; less than this part of them is none.
_TRIAL = 5.0
_LEAST_PART = 1 / 3
#: A length that is declared is believed where as much is there, give or take what encoders add.
_ADDED = 0.5

_LIMITS = Limits()
#: What looking at a file may take of the machine's memory, for `Room`.
MEMORY_BYTES = _LIMITS.memory_bytes
_TAKEN = f"Send {TAKEN}."
_BROKEN = "This sound file is damaged. Open it in an audio program, export it again and send that."


class AudioRefused(FileRefused):
    """The file cannot be used as a sound."""


class UnsupportedAudioType(AudioRefused):
    """Not a sound, or of a type or coding that the house does not take."""

    code = "unsupported_audio_type"


class NoSound(AudioRefused):
    """There is no sound in it."""

    code = "no_sound"


class ProtectedAudio(AudioRefused):
    """It takes a key to play it."""

    code = "protected_audio"


class AudioTooLong(AudioRefused):
    """Longer than allowed."""

    code = "audio_too_long"


class AudioTooShort(AudioRefused):
    """Too short to be anything."""

    code = "audio_too_short"


class AudioTooLarge(AudioRefused):
    """Looking at it takes more memory than one file may have."""

    code = "audio_too_large"


class BrokenAudio(AudioRefused):
    """Cut off, corrupt, or built to exhaust its reader."""

    code = "broken_audio"


_ANSWER = TypeAdapter(Answer)


def inspect_audio(
    source: Source,
    *,
    most_seconds: float = MOST_SECONDS,
    limits: Limits = _LIMITS,
    room: Room = nullcontext,
) -> FileInfo:
    """Say what sound the stream or file `source` holds, and how long it is.

    A stream that can seek is read from its beginning and left there; any other is read to its end. `room` is
    entered with the bytes that looking at it takes. Raises AudioRefused, NotInspected, what `room` raises but
    for NoRoom, and OSError when the source cannot be read.
    """
    with opened(source) as file:
        head = _head(file)
        container = sniff(head)
        if container is None:
            raise UnsupportedAudioType(_not_ours(head))
        if container.demuxer == "mov":
            _check_boxes(Boxes(file))
        try:
            with room(limits.memory_bytes):
                facts = _facts(file, container, head, most_seconds, limits)
        except NoRoom as error:
            raise AudioTooLarge(f"To look at a sound file {error}. Ask the operator for more.") from error
    _check_stream(facts)
    seconds = _seconds(facts, most_seconds)
    is_film = facts.width is not None and facts.height is not None
    if is_film and not container.film:
        raise UnsupportedAudioType(f"This is a film of a type that is not read here. {_TAKEN}")
    media_type = container.film if is_film else container.sound
    return FileInfo(
        media_type,
        facts.width,
        facts.height,
        seconds=round(seconds, 3),
        declared_seconds=round(facts.declared, 3) if facts.declared and seconds < facts.declared else None,
    )


def _head(file: BinaryIO) -> bytes:
    """The first bytes behind the tags that a song may begin with, or the first bytes of all."""
    head = file.read(SNIFF_SIZE)
    position, tags = 0, 0
    while (size := id3_size(head)) and tags < 4:
        position, tags = position + size, tags + 1
        file.seek(position)
        head = file.read(SNIFF_SIZE)
    if position and not head:
        raise BrokenAudio("This file is cut off: there is a tag, and no sound behind it.")
    return head


def _check_boxes(boxes: Boxes) -> None:
    if not boxes.has_index:
        raise BrokenAudio("This file is cut off: its index, which tells what is in it, is missing.")
    if boxes.are_protected():
        raise ProtectedAudio("This file is protected by its seller and cannot be read. Send one that is not.")


def _facts(file: BinaryIO, container: Container, head: bytes, most: float, limits: Limits) -> Facts:
    request = {
        "demuxer": container.demuxer,
        "declares": says_its_length(container, head),
        "most_seconds": most,
        "try_seconds": _TRIAL,
    }
    try:
        said = _ANSWER.validate_json(ask("doors.audio_child", request, file, limits))
    except TooMuchWork as error:
        raise BrokenAudio(f"Reading this file takes more time than any sound file needs. {_TAKEN}") from error
    except (BrokeDown, ValidationError) as error:
        raise BrokenAudio(_BROKEN) from error
    if said.memory:
        raise BrokenAudio(f"Reading this file takes more memory than any sound file needs. {_TAKEN}")
    if said.no_sound:
        raise NoSound("There is no sound in this file.")
    if said.facts is None:
        raise BrokenAudio(_BROKEN)
    return said.facts


def _check_stream(facts: Facts) -> None:
    if not facts.known:
        name = facts.codec if facts.codec.isascii() and facts.codec.isprintable() else "an unknown coding"
        raise UnsupportedAudioType(f"The sound in this file is coded as {name[:20]}, which is not read here.")
    if facts.rate == 0 or facts.channels == 0:
        raise BrokenAudio(_BROKEN)
    low, high = _RATES
    if not low <= facts.rate <= high:
        raise UnsupportedAudioType(
            f"This sound has {facts.rate:,} samples a second; {low:,} to {high:,} are read here."
        )
    if not 1 <= facts.channels <= _CHANNELS:
        raise UnsupportedAudioType(
            f"This sound has {facts.channels} channels; {_CHANNELS} at most are read here."
        )


def _seconds(facts: Facts, most: float) -> float:
    """How long it is: as it says, where that is there, or else what there is of it."""
    declared = facts.declared
    if max(facts.counted, declared or 0.0) > most:
        raise AudioTooLong(
            f"This sound is longer than the {most / 60:g} minutes that are allowed. Send a part of it."
        )
    if declared is not None and facts.counted < declared * _LEAST_PART:
        raise BrokenAudio(
            f"This file is cut off or damaged: {facts.counted:.2f} of the {declared:.2f} seconds that it "
            "declares are there."
        )
    if facts.counted and facts.decoded < facts.tried * _LEAST_PART:
        raise BrokenAudio(_BROKEN)
    seconds = facts.counted
    if declared is not None and abs(declared - seconds) <= _ADDED:
        seconds = declared
    if seconds < LEAST_SECONDS:
        raise AudioTooShort(
            f"There are {seconds:.2f} seconds of sound here; at least {LEAST_SECONDS} are needed."
        )
    return seconds


def _not_ours(head: bytes) -> str:
    name = name_of(head)
    if name == "empty":
        return f"This file is empty. {_TAKEN}"
    if name is None:
        return f"This is not a sound file of a type that we know. {_TAKEN}"
    return f"This is {name}, which cannot be used as a sound here. {_TAKEN}"
