"""What the makers of films have in common: frames in, segments kept, one file out."""

from __future__ import annotations

import struct
import tempfile
import threading
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from PIL import Image

#: Seconds of film in one segment: what a worker that dies loses, beside the time since the last checkpoint.
SEGMENT_SECONDS = 2

_LENGTH = struct.Struct("<Q")


class Film(Protocol):
    """One film in the making.

    Frames are encoded in segments that do not depend on each other. `state` holds the finished ones; a film
    made again from it continues after them and comes out the same to the last byte.
    """

    suffix: ClassVar[str]
    media_type: ClassVar[str]

    def __init__(self, rate: Fraction, state: bytes | None = None) -> None:
        """`rate`: frames a second. Raises ValueError when `state` is not what such a film saved."""

    @property
    def done(self) -> int:
        """Frames in finished segments: the first one that is still to be added."""

    @property
    def size(self) -> int:
        """Bytes of the finished segments, and so about of a checkpoint."""

    def add(self, frame: Image.Image) -> None:
        """Take the next frame; all have one size. Waits only while the encoder is behind."""

    def state(self) -> bytes:
        """The finished segments, for a checkpoint."""

    def finish(self, target: Path, metadata: Mapping[str, Any]) -> None:
        """Write the film. `metadata` goes into it as JSON, where the container has a place for it."""

    def __enter__(self) -> Self:
        """For `with`: what the encoder holds is released, however it ends."""

    def __exit__(self, *_: object) -> None: ...


def segment_length(rate: Fraction) -> int:
    """Frames of one segment."""
    return max(1, round(rate * SEGMENT_SECONDS))


class Segments:
    """Finished segments, in a file that has no name: a long film is larger than memory.

    One thread may add while another reads.
    """

    def __init__(self, state: bytes = b"") -> None:
        """`state`: what `state` gave. Raises ValueError for anything else."""
        self._places = _places(state)
        self._size = sum(length for _, length in self._places)
        self._lock = threading.Lock()
        self._file = tempfile.TemporaryFile(prefix="atelier-film-")  # noqa: SIM115  # lives as long as this
        self._file.write(state)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[bytes]:
        """One after the other, each read when it is its turn."""
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, number: int) -> bytes:
        start, length = self._places[number]
        with self._lock:
            self._file.seek(start)
            return self._file.read(length)

    @property
    def size(self) -> int:
        """Bytes of all."""
        return self._size

    def add(self, segment: bytes) -> None:
        """Append one. Raises OSError where the disk is full."""
        with self._lock:
            start = self._file.seek(0, 2) + _LENGTH.size
            self._file.write(_LENGTH.pack(len(segment)) + segment)
            self._places.append((start, len(segment)))
            self._size += len(segment)

    def state(self) -> bytes:
        """All of them, for a checkpoint."""
        with self._lock:
            self._file.seek(0)
            return self._file.read()

    def close(self) -> None:
        """Give the disk's room back."""
        self._file.close()


def _places(state: bytes) -> list[tuple[int, int]]:
    """(where it begins, bytes) of each segment."""
    places, place = [], 0
    while place < len(state):
        start = place + _LENGTH.size
        end = start + _LENGTH.unpack(state[place:start])[0] if start <= len(state) else start
        if end > len(state):
            raise ValueError("the checkpoint of a film ends in the middle of a segment")
        places.append((start, end - start))
        place = end
    return places
