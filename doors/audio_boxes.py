"""What the index of an MP4 says before anybody reads it: that it is there, and whether it takes a key.

FFmpeg says of a file that was cut off only that its data are invalid, and reads a protected one as if it were
not. Of ISO/IEC 14496-12 here is what it takes to see both. The number of boxes looked at is bounded.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

_INDEX = b"moov"
#: The way from the index to the description of a track's samples.
_WAY = (b"trak", b"mdia", b"minf", b"stbl", b"stsd")
#: Of a description: protected sound and pictures (ISO/IEC 14496-12, 8.12), and Apple's own way of it.
_PROTECTED = {b"enca", b"encv", b"drms", b"drmi"}
#: Boxes that are looked at, all together; an album with its chapters has a few hundred.
_MOST = 10_000

_Span = tuple[int, int]


class Boxes:
    """The boxes of one file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = _MOST
        size = file.seek(0, os.SEEK_END)
        self._index = next((span for kind, span in self._inside((0, size)) if kind == _INDEX), None)

    @property
    def has_index(self) -> bool:
        """Whether the index is there, without which nothing in the file can be found."""
        return self._index is not None

    def are_protected(self) -> bool:
        """Whether a track can only be played with a key."""
        found = [] if self._index is None else [self._index]
        for step in _WAY:
            found = [span for outer in found for kind, span in self._inside(outer) if kind == step]
        # Eight bytes of version and number come before the descriptions.
        return any(kind in _PROTECTED for start, end in found for kind, _ in self._inside((start + 8, end)))

    def _inside(self, span: _Span) -> Iterator[tuple[bytes, _Span]]:
        """(name, begin and end of the content) of the boxes that lie side by side here."""
        position, end = span
        while self._left and position + 8 <= end:
            self._left -= 1
            self._file.seek(position)
            start = self._file.read(16)
            if len(start) < 8:
                return
            length, kind = struct.unpack_from(">I4s", start)
            skipped = 8
            if length == 1 and len(start) == 16:
                length, skipped = struct.unpack_from(">Q", start, 8)[0], 16
            elif length == 0:
                length = end - position
            if length < skipped:
                return
            yield kind, (position + skipped, min(position + length, end))
            position += length
