"""What an image file declares of itself, read without decoding anything: size, frames, orientation.

Pillow would read these too, but only after it has parsed whatever metadata the file carries, and a few
kilobytes of hostile metadata cost it gigabytes or minutes. Here every loop and every sum is bounded, and what
exceeds its bound is refused before Pillow sees the file.
"""

from __future__ import annotations

import io
import os
import re
import struct
from dataclasses import replace
from typing import BinaryIO

from doors.image_boxes import read_boxes
from doors.image_facts import Header, HeaderError

_MAX_SEGMENTS = 10_000  # of a JPEG or WebP; real ones have a few dozen
_MAX_CHUNKS = 100_000  # of a PNG; 100 MB in the common 8 KiB chunks is 12,800
_TELLING = (b"eXIf", b"iTXt", b"tEXt", b"zTXt")  # of a PNG: how it lies is in one of these
_MAX_BLOCKS = 200_000  # of a GIF; 50 MB in the usual 255 byte blocks
_MAX_SCANS = 100  # of a progressive JPEG, each a pass over the whole picture; encoders write about 10
_MAX_SCANNED = (
    1_500_000_000  # pixels of all those passes, some nanosecond each: 20 at the limit of 64 megapixels
)
_BLOCK = 1024 * 1024  # bytes that are looked at together
_MAX_METADATA = 4 * 1024 * 1024  # bytes of EXIF or GIF comments, which Pillow appends piece by piece
_MAX_JUNK = 64 * 1024  # bytes between JPEG segments, which Pillow skips one by one
_MAX_ENTRIES = 4096  # directory entries of a TIFF or an EXIF block
_MAX_NUMBERS = 500_000  # numbers in those entries, each of which becomes a Python object

#: TIFF types and their bytes; 7, undefined, stays bytes as 1 and 2 do.
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_BYTE_TYPES = {1, 2, 7}
_SUB_DIRECTORIES = (0x8769, 0x8825, 0xA005)  # EXIF, GPS, interoperability

ORIENTATION = 274

#: What ends or interrupts the data of a JPEG's scan: neither a stuffed byte nor a restart nor filling.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def read_header(media_type: str, file: BinaryIO) -> Header:
    """The header of an image of this sniffed type. Raises HeaderError."""
    try:
        return _READERS[media_type](file)
    except (struct.error, IndexError) as error:
        raise HeaderError("it ends in the middle of its header") from error


def exif_orientation(exif: bytes) -> int | None:
    """Check an EXIF block, and return its orientation (1 to 8). Raises HeaderError for a bomb."""
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    if len(exif) > _MAX_METADATA:
        raise HeaderError("its EXIF block is too large")
    try:
        value = tiff_directory(io.BytesIO(exif))[0].get(ORIENTATION)
    except (struct.error, IndexError):
        return None  # a damaged EXIF block is common, harmless and no reason to refuse a picture
    return value if value is not None and 1 <= value <= 8 else None


def tiff_directory(file: BinaryIO) -> tuple[dict[int, int], bool]:
    """The whole numbers of a TIFF's first directory by tag, and whether another directory follows.

    A tag that holds anything else than one unsigned number is -1 here.

    Raises HeaderError when reading all entries would cost far more than the file's own size: entries may
    all point to the same bytes, and Pillow keeps a copy for each.
    """
    size = file.seek(0, os.SEEK_END)
    start = _at(file, 0, 8)
    if 43 in start[2:4]:
        raise HeaderError("it is a BigTIFF, a variant for files above 4 GB")
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None:
        return {}, False
    first = struct.unpack(order + "I", start[4:8])[0]
    result: dict[int, int] = {}
    follows = False
    entries = numbers = payload = 0
    waiting, seen = [first], {0}
    while waiting:
        offset = waiting.pop()
        if offset in seen or len(seen) > 8:
            continue
        seen.add(offset)
        count = struct.unpack(order + "H", _at(file, offset, 2))[0]
        entries += count
        if entries > _MAX_ENTRIES:
            raise HeaderError("it has an absurd number of tags")
        table = _at(file, offset + 2, count * 12 + 4)
        for position in range(0, min(count, len(table) // 12) * 12, 12):
            tag, kind, values = struct.unpack_from(order + "HHI", table, position)
            length = values * _TYPE_SIZES.get(kind, 0)
            inline = table[position + 8 : position + 12]
            pointer = struct.unpack(order + "I", inline)[0]
            if length > 4:
                # What lies beyond the end of the file is never read, and costs nothing.
                length = min(length, max(0, size - pointer))
                payload += length
            if kind not in _BYTE_TYPES:
                numbers += length // _TYPE_SIZES.get(kind, 1)
            if offset == first:
                result[tag] = -1
            if values == 1 and kind in (3, 4):
                number = struct.unpack_from(order + "H", inline)[0] if kind == 3 else pointer
                if tag in _SUB_DIRECTORIES:
                    waiting.append(number)
                elif offset == first:
                    result[tag] = number
        if payload > 2 * size + 64 * 1024 or numbers > _MAX_NUMBERS:
            raise HeaderError("its tags hold absurdly much")
        if offset == first and len(table) == count * 12 + 4:
            follows = struct.unpack(order + "I", table[-4:])[0] != 0
    return result, follows


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _png(file: BinaryIO) -> Header:
    header: Header | None = None
    position = 8
    animated = data = late = False
    code_points: tuple[int, int] | None = None
    for _ in range(_MAX_CHUNKS):
        start = _at(file, position, 8)
        if len(start) < 8:
            break  # truncated: decoding will say so
        length, kind = struct.unpack(">I4s", start)
        if kind == b"IHDR" and header is None and length == 13:
            header = Header(*struct.unpack(">II", file.read(8)))
        elif header is None or kind == b"IHDR":
            raise HeaderError("its first chunk is not its header")
        elif kind == b"acTL":
            # One frame that says so is a still picture; anything odd is not.
            animated = animated or file.read(4) != b"\0\0\0\1"
        elif kind == b"cICP" and length == 4:
            primaries, curve = file.read(2)
            code_points = code_points or (primaries, curve)
        elif kind == b"IDAT":
            data = True
        elif kind in _TELLING:
            late = late or data
        elif kind == b"IEND":
            break
        position += length + 12
    else:
        raise HeaderError("it is made of too many pieces")
    if header is None:
        raise HeaderError("it ends before its header")
    return replace(header, animated=animated, late_metadata=late, code_points=code_points)


def _jpeg(file: BinaryIO) -> Header:
    header: Header | None = None
    exif = bytearray()
    position, junk = 2, 0
    for _ in range(_MAX_SEGMENTS):
        block = _at(file, position, _MAX_JUNK)
        skipped = len(block) - len(block.lstrip(b"\xff"))
        if not skipped:
            # Bytes that belong to no segment, which decoders skip.
            found = block.find(b"\xff")
            junk += found
            if found < 0 or junk > _MAX_JUNK:
                raise HeaderError(
                    "it has no picture in it" if len(block) < _MAX_JUNK else "it is mostly junk"
                )
            position += found
            continue
        position += skipped
        if skipped == len(block):
            raise HeaderError("it has no picture in it")
        marker = block[skipped]
        position += 1
        if marker == 0 or marker == 0x01 or 0xD0 <= marker <= 0xD9:
            continue  # stands alone
        length = struct.unpack(">H", _at(file, position, 2))[0]
        body = file.read(max(0, length - 2))
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if header is not None:
                raise HeaderError("it declares two pictures at once")
            height, width, components = struct.unpack(">HHB", body[1:6])
            progressive = marker not in (0xC0, 0xC1)
            header = Header(width, height)
        elif marker == 0xE1 and body.startswith(b"Exif\0"):
            exif += body[6:] if exif else body
            if len(exif) > _MAX_METADATA:
                raise HeaderError("its EXIF block is too large")
        elif marker == 0xE2 and body.startswith(b"MPF\0"):
            exif_orientation(body[4:])  # the same kind of directory, the same kind of bomb
        elif marker == 0xDA:
            break
        position += length
    else:
        raise HeaderError("it is made of too many pieces")
    if header is None:
        raise HeaderError("it has no header")
    exif_orientation(bytes(exif))
    most = min(_MAX_SCANS, max(1, _MAX_SCANNED // max(1, header.width * header.height)))
    scans, ended = _count_scans(file, position, most)
    # What comes in several scans is kept as coefficients, two bytes each, until the last of them.
    kept = 2 * components if progressive or scans > 1 else 0
    size = kept * _padded(header.width) * _padded(header.height)
    return replace(header, working_bytes=size, ended=ended)


def _padded(side: int) -> int:
    """A side in whole blocks of the largest kind, four times eight."""
    return -(-side // 32) * 32


def _count_scans(file: BinaryIO, position: int, most: int) -> tuple[int, bool]:
    """The scans of a JPEG whose first one begins at `position`, and whether its end is marked.

    Within a scan `FF` is always stuffed, so markers stand out. Between scans are segments with a length, in
    which anything may stand, an end of the picture too: they are passed over as a decoder does. Raises
    HeaderError for more scans than `most`.
    """
    scans, start = 1, position
    file.seek(start)
    segments = 0
    while block := file.read(_BLOCK):
        at = 0
        while found := _MARKER.search(block, at):
            marker, at = found[0][1], found.end()
            if marker == 0xD9:
                return scans, True
            segments += 1
            scans += marker == 0xDA
            if scans > most or segments > _MAX_SEGMENTS:
                raise HeaderError("it is made of too many scans")
            length = _at(file, start + at, 2)
            if len(length) < 2:
                return scans, False  # cut off: decoding will say so
            at += max(2, int.from_bytes(length, "big"))
            if at >= len(block):
                break
        # A marker may be cut in two by the end of a block.
        start += max(at, len(block) - 1 if len(block) > 1 and block[-1] == 0xFF else len(block))
        file.seek(start)
    return scans, False


def _webp(file: BinaryIO) -> Header:
    header: Header | None = None
    animated = False
    position = 12
    for _ in range(_MAX_SEGMENTS):
        start = _at(file, position, 8)
        if len(start) < 8:
            break
        kind, length = struct.unpack("<4sI", start)
        if header is None:
            body = file.read(10)
            if kind == b"VP8X":
                width = int.from_bytes(body[4:7], "little") + 1
                height = int.from_bytes(body[7:10], "little") + 1
                header, animated = Header(width, height), bool(body[0] & 2)
            elif kind == b"VP8L":
                bits = struct.unpack_from("<I", body, 1)[0]
                header = Header((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
            elif kind == b"VP8 ":
                width, height = struct.unpack_from("<HH", body, 6)
                header = Header(width & 0x3FFF, height & 0x3FFF)
            else:
                raise HeaderError("its first chunk is not a picture")
        animated = animated or kind in (b"ANIM", b"ANMF")
        position += 8 + length + length % 2
    else:
        raise HeaderError("it is made of too many pieces")
    if header is None:
        raise HeaderError("it ends before its header")
    return Header(header.width, header.height, animated)


def _gif(file: BinaryIO) -> Header:
    start = _at(file, 0, 13)
    width, height, flags = struct.unpack_from("<HHB", start, 6)
    if flags & 0x80:
        file.seek(3 << (flags & 7) + 1, os.SEEK_CUR)
    frames = blocks = metadata = 0
    while blocks < _MAX_BLOCKS:
        blocks += 1
        kind = file.read(1)
        if kind in (b"", b";"):
            return Header(width, height)  # without a frame decoding will complain
        if kind == b"\0":
            continue  # padding that old encoders leave
        if kind == b",":
            frames += 1
            if frames == 2:
                return Header(width, height, animated=True)
            left, top, across, down, flags = struct.unpack("<HHHHB", file.read(9))
            # The canvas grows to hold a frame that sticks out.
            width, height = max(width, left + across), max(height, top + down)
            file.seek((3 << (flags & 7) + 1 if flags & 0x80 else 0) + 1, os.SEEK_CUR)
        elif kind == b"!":
            file.seek(1, os.SEEK_CUR)
        else:
            raise HeaderError("it holds bytes that are no part of a GIF")
        while blocks < _MAX_BLOCKS and (size := file.read(1)) not in (b"", b"\0"):
            blocks += 1
            file.seek(size[0], os.SEEK_CUR)
            metadata += size[0] if kind == b"!" else 0
            if metadata > _MAX_METADATA:
                raise HeaderError("its comments are too large")
    raise HeaderError("it is made of too many pieces")


def _bmp(file: BinaryIO) -> Header:
    start = _at(file, 14, 20)
    if start[:4] == b"\x0c\0\0\0":
        return Header(*struct.unpack_from("<HH", start, 4))
    width, height, _planes, _bits, compression = struct.unpack_from("<iiHHI", start, 4)
    if compression in (1, 2):
        # Pillow expands these in Python, pixel by pixel: minutes for a large one, and nobody writes them.
        raise HeaderError("it is a run-length compressed BMP")
    return Header(width, abs(height))


def _tiff(file: BinaryIO) -> Header:
    tags, follows = tiff_directory(file)
    if not {256, 257} <= tags.keys():
        raise HeaderError("it does not say how large the picture is")
    width, height = tags[256], tags[257]
    # libtiff makes room for a whole tile, however small the picture is.
    if max(tags.get(322, 0), tags.get(323, 0)) > max(1024, 2 * width, 2 * height):
        raise HeaderError("its tiles are larger than the picture")
    return Header(width, height, animated=follows, working_bytes=_tiff_piece(tags))


def _tiff_piece(tags: dict[int, int]) -> int:
    """The bytes of one strip or tile, which is unpacked as a whole; often enough it is all of the picture."""
    if tags.get(259, 1) == 1:
        return 0  # not packed
    width, height = tags[256], tags[257]
    rows = tags.get(278, height)
    pixels = (
        tags[322] * tags[323]
        if {322, 323} <= tags.keys()
        else width * min(rows if rows > 0 else height, height)
    )
    bits = tags.get(258, 1)
    # Of several samples the bits are a list, which is not read here; 16 is the most that Pillow takes.
    return max(0, pixels) * max(1, tags.get(277, 1)) * (-(-bits // 8) if bits > 0 else 2)


_READERS = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
    "image/gif": _gif,
    "image/bmp": _bmp,
    "image/tiff": _tiff,
    "image/avif": read_boxes,
    "image/heic": read_boxes,
}
