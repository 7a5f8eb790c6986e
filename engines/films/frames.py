"""Films whose frames are pictures of their own: animated WebP, and a ZIP of PNG files."""

from __future__ import annotations

import io
import struct
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Self

from PIL import Image

from engines import images
from engines.films.base import Segments

_WEBP_QUALITY = 85
#: WebP container specification (RFC 9649): what a file, and a frame, may have.
_HAS_EXIF, _HAS_ALPHA, _ANIMATED = 0x08, 0x10, 0x02
_DO_NOT_BLEND = 0x02


class _Frames(ABC):
    """A film that keeps its encoded frames: each is a segment."""

    def __init__(self, rate: Fraction, state: bytes | None = None) -> None:
        """See `engines.films.base.Film`."""
        self._rate = rate
        self._frames = Segments(state or b"")

    @property
    def done(self) -> int:
        """Frames there are."""
        return len(self._frames)

    @property
    def size(self) -> int:
        """Bytes of all frames."""
        return self._frames.size

    def add(self, frame: Image.Image) -> None:
        """Encode the next frame."""
        self._frames.add(self._encoded(frame))

    def state(self) -> bytes:
        """All frames."""
        return self._frames.state()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._frames.close()

    @abstractmethod
    def _encoded(self, frame: Image.Image) -> bytes: ...

    @abstractmethod
    def finish(self, target: Path, metadata: Mapping[str, Any]) -> None:
        """Write the film."""


class WebP(_Frames):
    """An animated WebP that repeats for ever; transparent where its frames are."""

    suffix: ClassVar[str] = "webp"
    media_type: ClassVar[str] = "image/webp"

    def _encoded(self, frame: Image.Image) -> bytes:
        out = io.BytesIO()
        frame.save(out, "WEBP", quality=_WEBP_QUALITY)
        return out.getvalue()

    def finish(self, target: Path, metadata: Mapping[str, Any]) -> None:
        """Put the frames into one file, for which Pillow would have to encode them all at once.

        Times are in whole milliseconds: each frame ends where it should, so that the whole is as long as it
        should be.
        """
        with Image.open(io.BytesIO(self._frames[0]), formats=("WEBP",)) as first:
            (width, height), alpha = first.size, first.has_transparency_data
        flags = _ANIMATED | _HAS_EXIF | (_HAS_ALPHA if alpha else 0)
        size = _three(width - 1) + _three(height - 1)
        ends = [round(1000 * number / self._rate) for number in range(len(self._frames) + 1)]
        exif = images.exif_record(metadata).tobytes().removeprefix(b"Exif\0\0")
        with target.open("wb") as file:
            file.write(b"RIFF" + bytes(4) + b"WEBP")
            file.write(_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size))
            file.write(_chunk(b"ANIM", bytes(6)))  # black and transparent behind it; for ever
            for frame, start, end in zip(self._frames, ends, ends[1:], strict=False):
                about = bytes(6) + size + _three(end - start) + bytes([_DO_NOT_BLEND])
                file.write(_chunk(b"ANMF", about + _image(frame)))
            file.write(_chunk(b"EXIF", exif))
            length = file.tell() - 8
            file.seek(4)
            file.write(struct.pack("<I", length))


class Zip(_Frames):
    """A ZIP of PNG files, `frame-00000.png` and so on."""

    suffix: ClassVar[str] = "zip"
    media_type: ClassVar[str] = "application/zip"

    def _encoded(self, frame: Image.Image) -> bytes:
        out = io.BytesIO()
        frame.save(out, "PNG")
        return out.getvalue()

    def finish(self, target: Path, metadata: Mapping[str, Any]) -> None:
        """Write the archive, with `metadata.json` in it. No times in it: the same frames, the same file."""
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            for number, frame in enumerate(self._frames):
                archive.writestr(_timeless(f"frame-{number:05}.png"), frame)
            archive.writestr(_timeless("metadata.json"), images.record(metadata).encode())


def _timeless(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))


def _three(value: int) -> bytes:
    return value.to_bytes(3, "little")


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def _image(webp: bytes) -> bytes:
    """The chunks of a still WebP that are its picture."""
    return b"".join(_chunk(name, data) for name, data in _chunks(webp) if name in (b"ALPH", b"VP8 ", b"VP8L"))


def _chunks(webp: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 12
    while place < len(webp):
        (length,) = struct.unpack_from("<I", webp, place + 4)
        yield webp[place : place + 4], webp[place + 8 : place + 8 + length]
        place += 8 + length + length % 2
