"""Boxes of an AVIF or a HEIC and the headers of an AV1 stream, written by hand."""

from __future__ import annotations

import struct


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def full(kind: bytes, *content: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *content)


def ispe(width: int, height: int) -> bytes:
    return full(b"ispe", struct.pack(">II", width, height))


def heic(properties: list[bytes], associations: bytes, *more: bytes, brand: bytes = b"heic") -> bytes:
    """A file that says these things of its items, of which 1 is the first, and has no picture."""
    return box(b"ftyp", brand, bytes(4), b"mif1heic") + full(
        b"meta",
        full(b"pitm", struct.pack(">H", 1)),
        box(b"iprp", box(b"ipco", *properties), full(b"ipma", associations)),
        *more,
    )


def tiles(count: int) -> bytes:
    """Item 1 has the first property, all others the second."""
    items = [struct.pack(">HBB", item, 1, 1 if item == 1 else 2) for item in range(1, count + 1)]
    return struct.pack(">I", count) + b"".join(items)


class Writer:
    """Numbers of so many bits, one after another."""

    def __init__(self, *fields: tuple[int, int]) -> None:
        self.bits = "".join(f"{value:0{count}b}" for count, value in fields if count)

    def unit(self, kind: int) -> bytes:
        bits = self.bits.ljust(-(-len(self.bits) // 8) * 8, "0")
        body = int(bits, 2).to_bytes(len(bits) // 8, "big")
        return bytes([kind << 3 | 2, len(body)]) + body


def sequence(width: int, height: int, *, timed: bool = False) -> bytes:
    """A full sequence header, as video encoders write it."""
    timing = [(1, 1), (64, 5), (1, 0), (1, 1), (5, 9), (32, 1), (5, 3), (5, 4)] if timed else [(1, 0)]
    point = [(12, 0), (5, 9), (1, 0), *([(1, 1), (21, 0)] if timed else []), (1, 1), (4, 2)]
    sizes = [(4, 15), (4, 15), (16, width - 1), (16, height - 1)]
    rest = [(1, 1), (4, 2), (3, 1), (7, 0), (1, 1), (2, 0), (1, 1), (1, 1)]
    return Writer((3, 0), (1, 0), (1, 0), *timing, (1, 1), (5, 0), *point, *sizes, *rest).unit(1)


def frame(*, own_size: bool, timed: bool = False) -> bytes:
    key = [(1, 0), (2, 0), (1, 1), (5 if timed else 0, 0)]
    return Writer(*key, (1, 0), (1, 1), (1, 0), (6, 0), (1, own_size), (32, 0)).unit(6)
