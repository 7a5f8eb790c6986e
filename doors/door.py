"""The one way in: which family a file belongs to, its door, and whether it is what a field takes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import nullcontext
from dataclasses import dataclass
from typing import BinaryIO

from doors import audio_types, image_types
from doors.audio import inspect_audio
from doors.base import FileInfo, Room, Source, UnsupportedFile, WrongMediaType, opened
from doors.images import inspect_image
from doors.media_types import AUDIO_TYPES, IMAGE_TYPES, TEXT_TYPES
from doors.text import inspect_text, looks_like_text

#: Bytes at the start of a file by which its family is known.
_SNIFF_SIZE = 4096


@dataclass(frozen=True)
class _Family:
    """One kind of file, with the door that looks at it."""

    media_types: tuple[str, ...]
    #: Whether a file that begins so belongs to it.
    knows: Callable[[bytes], bool]
    look: Callable[[BinaryIO, Room], FileInfo]
    #: As a sentence wants it.
    taken: str


def _is_picture(head: bytes) -> bool:
    return image_types.sniff(head) is not None


def _is_sound(head: bytes) -> bool:
    return audio_types.sniff(head) is not None or audio_types.id3_size(head) > 0


_FAMILIES = (
    _Family(IMAGE_TYPES, _is_picture, lambda file, room: inspect_image(file, room=room), image_types.TAKEN),
    _Family(AUDIO_TYPES, _is_sound, lambda file, room: inspect_audio(file, room=room), audio_types.TAKEN),
    _Family(TEXT_TYPES, looks_like_text, lambda file, _room: inspect_text(file), "a text in UTF-8"),
)


def inspect(source: Source, accept: Collection[str] | None = None, *, room: Room = nullcontext) -> FileInfo:
    """Say what file the stream or file `source` holds; its bytes decide, whatever it is called.

    `accept` are the media types that are wanted; None: all there are. A stream that can seek is read from its
    beginning and left there; any other is read to its end. `room` is entered with the bytes of memory that a
    look takes. Raises FileRefused, NotInspected, what `room` raises but for NoRoom, and OSError when the
    source cannot be read.
    """
    wanted = [one for one in _FAMILIES if accept is None or not set(accept).isdisjoint(one.media_types)]
    with opened(source) as file:
        # Where there is no choice, the door itself says best what is wrong with a file.
        family = wanted[0] if len(wanted) == 1 else _family_of(file, wanted or _FAMILIES)
        info = family.look(file, room)
    if accept is not None:
        check_accepted(info.media_type, accept)
    return info


def check_accepted(media_type: str, accept: Collection[str]) -> None:
    """Raises WrongMediaType for a good file that is none of `accept`."""
    if media_type not in accept:
        raise WrongMediaType(f"This field takes {', '.join(accept)}, not {media_type}.")


def _family_of(file: BinaryIO, wanted: Collection[_Family]) -> _Family:
    head = file.read(_SNIFF_SIZE)
    for family in wanted:
        if family.knows(head):
            return family
    taken = "; or ".join(family.taken for family in wanted)
    name = audio_types.name_of(head)
    if name == "empty":
        raise UnsupportedFile(f"This file is empty. Send {taken}.")
    if name is None:
        raise UnsupportedFile(f"This is not a file of a type that we know. Send {taken}.")
    raise UnsupportedFile(f"This is {name}, which is not taken here. Send {taken}.")
