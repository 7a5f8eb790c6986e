"""What the makers of films have in common: frames in, segments kept, one file out."""

from __future__ import annotations

import struct
from collections.abc import Mapping
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


def joined(blobs: list[bytes]) -> bytes:
    """Some byte strings as one."""
    return b"".join(part for blob in blobs for part in (_LENGTH.pack(len(blob)), blob))


def parted(data: bytes) -> list[bytes]:
    """What `joined` put together. Raises ValueError for anything else."""
    blobs, place = [], 0
    while place < len(data):
        start = place + _LENGTH.size
        end = start + _LENGTH.unpack(data[place:start])[0] if start <= len(data) else start
        if end > len(data):
            raise ValueError("the checkpoint of a film ends in the middle of a segment")
        blobs.append(data[start:end])
        place = end
    return blobs
