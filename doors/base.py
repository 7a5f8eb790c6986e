"""What all doors share: what they say of a file, how they refuse one, and how they come by its bytes.

FileRefused (a ValueError)      the file is not taken; the message is a sentence for the person who sent it
├── UnsupportedFile             of no family that is taken
├── WrongMediaType              taken elsewhere, and not by this field
├── ImageRefused                `doors.images`
├── AudioRefused                `doors.audio`
└── TextRefused                 `doors.text`
NotInspected                    it could not be looked at now; at another time it can
NoRoom                          looking at it takes more memory than one file may have
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, cast

_CHUNK = 1024 * 1024

#: Makes room for so many bytes while it is entered. May raise instead: NoRoom, and what its owner likes.
Room = Callable[[int], AbstractContextManager[object]]

#: Where a file is: a path, or a stream. One that can seek is read from its beginning and left there.
Source = BinaryIO | Path | str


class FileRefused(ValueError):
    """The file cannot be used. The message is a sentence for the person who sent it."""

    code: ClassVar[str]


class UnsupportedFile(FileRefused):
    """Neither a picture nor a sound nor a text."""

    code = "unsupported_file_type"


class WrongMediaType(FileRefused):
    """A good file that this field does not take."""

    code = "wrong_media_type"


class NotInspected(Exception):
    """The file could not be looked at now: this machine has too much to do, or too little memory."""


class NoRoom(Exception):
    """Looking at the file takes more memory than one file may have. The message ends a sentence."""

    def __init__(self, size: int, most: int) -> None:
        super().__init__(f"takes {size / 1e6:.0f} MB of memory; {most / 1e6:.0f} MB are allowed")


@dataclass(frozen=True)
class FileInfo:
    """What passed a door."""

    media_type: str  # of the bytes, whatever the sender called them
    width: int | None = None  # pixels, upright: of a picture, or of a film
    height: int | None = None
    seconds: float | None = None  # of a sound, or of a film
    declared_seconds: float | None = None  # where it says that it is longer than what is there
    mode: str | None = None  # of a picture, Pillow's: "RGB", "RGBA", "P", "L", "I;16", "CMYK", ...


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """The source as a stream that can seek, at its beginning. Raises OSError when it cannot be read."""
    if isinstance(source, str | Path):
        with Path(source).open("rb") as file:
            yield file
    elif source.seekable():
        source.seek(0)
        try:
            yield source
        finally:
            source.seek(0)
    else:
        with copied(source) as copy:
            yield copy


@contextmanager
def copied(stream: BinaryIO) -> Iterator[BinaryIO]:
    """A copy of what the stream still has, at its beginning.

    On disk: requests run at once, and their files together need not fit into memory.
    """
    with tempfile.TemporaryFile() as made:
        copy = cast(BinaryIO, made)
        shutil.copyfileobj(stream, copy, _CHUNK)
        copy.seek(0)
        yield copy
