"""Where the items of an AVIF or a HEIC lie in its file: the `iloc` box (ISO/IEC 14496-12, 8.11.3)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

from doors.image_facts import HeaderError

_MAX_ITEMS = 1000
_MAX_EXTENTS = 1000  # of an item; nearly all have one
_SIZES = (0, 4, 8)  # bytes of a number there
_IN_FILE, _IN_BOX = 0, 1

#: (where, offset, length); a length of 0 is all there is.
_Extent = tuple[int, int, int]


class Contents:
    """The items' bytes. All together they are bounded, for items may lie upon each other."""

    def __init__(self, file: BinaryIO, iloc: memoryview, idat: memoryview) -> None:
        """Raises HeaderError."""
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        self._idat = idat
        self._left = 2 * self._size + 64 * 1024
        self._places = dict(_located(iloc)) if len(iloc) else {}

    def of(self, item: int) -> memoryview:
        """An item's bytes, none for one that lies nowhere. Raises HeaderError."""
        parts = []
        for where, offset, length in self._places.get(item, []):
            there = self._size if where == _IN_FILE else len(self._idat)
            length = min(length or there, max(0, there - offset))
            self._left -= length
            if self._left < 0:
                raise HeaderError("its parts are larger than the file")
            if where == _IN_FILE and length:
                self._file.seek(offset)
                parts.append(self._file.read(length))
            elif length:
                parts.append(bytes(self._idat[offset : offset + length]))
        return memoryview(b"".join(parts))


def _located(iloc: memoryview) -> Iterator[tuple[int, list[_Extent]]]:
    version = iloc[0]
    if version > 2:
        raise HeaderError("it is made of impossible pieces")
    widths = iloc[4] >> 4, iloc[4] & 15, iloc[5] >> 4, iloc[5] & 15
    offset_size, length_size, base_size, index_size = widths
    if not set(widths) <= set(_SIZES):
        raise HeaderError("it is made of impossible pieces")
    reader = _Numbers(iloc, 6)
    wide = 4 if version == 2 else 2
    count = reader.take(wide)
    if count > _MAX_ITEMS:
        raise HeaderError("it holds too many pictures")
    for _ in range(count):
        item = reader.take(wide)
        where = reader.take(2) & 15 if version else _IN_FILE
        reader.take(2)  # another file, which no decoder reads
        base = reader.take(base_size)
        many = reader.take(2)
        if many > _MAX_EXTENTS:
            raise HeaderError("it is made of too many pieces")
        extents = []
        for _ in range(many):
            reader.take(index_size if version else 0)
            extents.append((where, base + reader.take(offset_size), reader.take(length_size)))
        if where in (_IN_FILE, _IN_BOX):
            yield item, extents


class _Numbers:
    """Numbers of so many bytes, one after another. Raises struct.error past the end."""

    def __init__(self, data: memoryview, position: int) -> None:
        self._data, self._position = data, position

    def take(self, size: int) -> int:
        if self._position + size > len(self._data):
            raise struct.error("the box ends")
        found = int.from_bytes(self._data[self._position : self._position + size], "big")
        self._position += size
        return found
