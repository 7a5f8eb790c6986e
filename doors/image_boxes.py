"""The header of an AVIF or a HEIC: files of ISO boxes, which hold items and what is said of them.

Of ISO/IEC 14496-12 and 23008-12 what it takes to know the sizes. A box is four bytes of length, four of name,
and its content, which may be boxes again. All loops run over bytes that were read once, and their number is
bounded.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

from doors.image_av1 import largest_frame
from doors.image_facts import Header, HeaderError
from doors.image_items import Contents

_MAX_TOP = 1000  # boxes at the top; there are about five
_MAX_META = 4 * 1024 * 1024  # bytes of what is said of the items; phones write some 20 KB
_MAX_BOXES = 4096  # within one other
_MAX_ITEMS = 1000  # as libheif; 64 megapixels in the usual tiles are 256
#: Brands of files that are played.
_SEQUENCES = {b"avis", b"msf1", b"hevc", b"hevx", b"hevm", b"hevs"}
_SMALL = 1024  # pixels; a tile may be that large, whatever the picture is
_WORK = 8  # times the picture's pixels that all items together may have

_NOTHING = memoryview(b"")

_Box = tuple[bytes, memoryview]


def read_boxes(file: BinaryIO) -> Header:
    """The size of the primary item, and whether the file is a sequence. Raises HeaderError."""
    played, meta = _top(file)
    if meta is None:
        if played:
            return Header(1, 1, animated=True)  # sizes stand elsewhere, and nobody will look at it
        raise HeaderError("it does not say what is in it")
    inside = dict(_boxes(meta[4:]))
    if len(inside.get(b"pitm", b"")) < 6 or b"iprp" not in inside:
        raise HeaderError("it does not say what is in it")
    wide = inside[b"pitm"][0] > 0
    primary = int.from_bytes(inside[b"pitm"][4 : 8 if wide else 6], "big")
    items = _items(inside[b"iprp"])
    sizes = {item: _size(said) for item, said in items.items()}
    size = sizes.get(primary)
    if size is None:
        raise HeaderError("it does not say how large the picture is")
    _check_work(*size, [one for one in sizes.values() if one])
    contents = Contents(file, inside.get(b"iloc", _NOTHING), inside.get(b"idat", _NOTHING))
    for item, said in items.items():
        if any(kind == b"av1C" for kind, _ in said):
            _check_frames(contents.of(item), sizes[item])
    return Header(*size, animated=played, code_points=_code_points(items[primary]))


def _top(file: BinaryIO) -> tuple[bool, memoryview | None]:
    """(whether the file is played, its `meta` box)."""
    size = file.seek(0, os.SEEK_END)
    position, played, meta = 0, False, None
    for _ in range(_MAX_TOP):
        file.seek(position)
        start = file.read(16)
        if len(start) < 8:
            break
        length, kind = struct.unpack_from(">I4s", start)
        skipped = 8
        if length == 1:
            length, skipped = struct.unpack_from(">Q", start, 8)[0], 16
        elif length == 0:
            length = size - position
        if length < skipped:
            raise HeaderError("it is made of impossible pieces")
        if kind == b"ftyp":
            played = played or start[8:12] in _SEQUENCES
        elif kind == b"moov":
            played = True
        elif kind == b"meta" and meta is None:
            if length > _MAX_META:
                raise HeaderError("what it says of itself is too large")
            file.seek(position + skipped)
            meta = memoryview(file.read(length - skipped))
        position += length
        if position >= size:
            break
    else:
        raise HeaderError("it is made of too many pieces")
    return played, meta


def _boxes(data: memoryview) -> Iterator[_Box]:
    position = 0
    for _ in range(_MAX_BOXES):
        if len(data) - position < 8:
            return
        length, kind = struct.unpack_from(">I4s", data, position)
        skipped = 8
        if length == 1:
            length, skipped = struct.unpack_from(">Q", data, position + 8)[0], 16
        elif length == 0:
            length = len(data) - position
        if length < skipped or length > len(data) - position:
            raise HeaderError("it is made of impossible pieces")
        yield kind, data[position + skipped : position + length]
        position += length
    raise HeaderError("it is made of too many pieces")


def _items(iprp: memoryview) -> dict[int, list[_Box]]:
    """What is said of each item, by its number."""
    parts = list(_boxes(iprp))
    known = [box for kind, data in parts if kind == b"ipco" for box in _boxes(data)]
    found: dict[int, list[_Box]] = {}
    for kind, data in parts:
        if kind == b"ipma":
            for item, places in _associations(data):
                found.setdefault(item, []).extend(
                    known[place - 1] for place in places if 0 < place <= len(known)
                )
    if len(found) > _MAX_ITEMS:
        raise HeaderError("it holds too many pictures")
    return found


def _associations(ipma: memoryview) -> Iterator[tuple[int, list[int]]]:
    """(item, places of its properties, counted from 1)."""
    wide_items, wide_places = ipma[0] > 0, ipma[3] & 1
    count = struct.unpack_from(">I", ipma, 4)[0]
    if count > _MAX_ITEMS:
        raise HeaderError("it holds too many pictures")
    position = 8
    for _ in range(count):
        item, many = struct.unpack_from(">IB" if wide_items else ">HB", ipma, position)
        position += 5 if wide_items else 3
        form = f">{many}{'H' if wide_places else 'B'}"
        places = struct.unpack_from(form, ipma, position)
        position += struct.calcsize(form)
        # The highest bit says that the property must be understood.
        yield item, [place & (0x7FFF if wide_places else 0x7F) for place in places]


def _size(properties: list[_Box]) -> tuple[int, int] | None:
    for kind, data in properties:
        if kind == b"ispe":
            width, height = struct.unpack_from(">II", data, 4)
            return width, height
    return None


def _check_work(width: int, height: int, sizes: list[tuple[int, int]]) -> None:
    """Tiles, thumbnails and masks lie within the picture; a decoder makes room for each as it says."""
    most = max(_SMALL, 2 * max(width, height))
    if any(max(size) > most for size in sizes):
        raise HeaderError("its parts are larger than the picture")
    room = _WORK * (width * height + _SMALL * _SMALL)
    if sum(across * down for across, down in sizes) > room:
        raise HeaderError("its parts are larger than the picture")


def _check_frames(stream: memoryview, size: tuple[int, int] | None) -> None:
    """What a stream decodes to is what was said of it; HEIC's decoder looks for itself."""
    width, height = largest_frame(stream)
    across, down = size or (0, 0)
    if (width, height) != (across, down):
        raise HeaderError("it contradicts itself about its size")


def _code_points(properties: list[_Box]) -> tuple[int, int] | None:
    for kind, data in properties:
        if kind == b"colr" and bytes(data[:4]) == b"nclx":
            primaries, curve = struct.unpack_from(">HH", data, 4)
            return primaries, curve
    return None
