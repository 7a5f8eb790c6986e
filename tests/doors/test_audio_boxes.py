"""The index of an MP4: there or not, and whether it speaks of a key."""

from __future__ import annotations

import io
import struct

import pytest

from doors.audio_boxes import Boxes


def box(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I4s", len(inside) + 8, kind) + inside


def movie(entry: bytes) -> bytes:
    described = box(b"stsd", bytes(8), box(entry, bytes(28)))
    track = box(b"trak", box(b"tkhd"), box(b"mdia", box(b"minf", box(b"stbl", described))))
    return box(b"ftyp", b"M4A \0\0\0\0") + box(b"mdat", bytes(100)) + box(b"moov", box(b"mvhd"), track)


@pytest.mark.parametrize("entry", [b"enca", b"encv", b"drms", b"drmi"])
def test_a_protected_track_is_seen(entry):
    boxes = Boxes(io.BytesIO(movie(entry)))
    assert boxes.has_index
    assert boxes.are_protected()


def test_an_open_one_passes_though_the_word_stands_elsewhere():
    boxes = Boxes(io.BytesIO(movie(b"mp4a") + box(b"free", b"enca")))
    assert boxes.has_index
    assert not boxes.are_protected()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        box(b"ftyp", b"M4A \0\0\0\0") + box(b"mdat", bytes(100)),
        box(b"mdat", b"moov"),
        struct.pack(">I4s", 4, b"moov"),
        struct.pack(">I4sQ", 1, b"mdat", 2**62),
        struct.pack(">I4s", 0, b"mdat") + movie(b"enca"),
    ],
    ids=["empty", "no-index", "inside", "impossible", "beyond", "to-the-end"],
)
def test_a_file_that_was_cut_off_has_no_index(data):
    boxes = Boxes(io.BytesIO(data))
    assert not boxes.has_index
    assert not boxes.are_protected()


def test_a_long_box_says_its_length_in_eight_bytes():
    long = struct.pack(">I4sQ", 1, b"mdat", 16 + 5) + b"bytes"
    assert Boxes(io.BytesIO(long + movie(b"enca"))).are_protected()


def test_it_looks_at_so_many_boxes_and_no_more():
    """Those of a file that is built to keep its reader busy."""
    source = io.BytesIO(box(b"moov", box(b"trak") * 200_000))
    reads = 0
    read = source.read

    def counted(size: int) -> bytes:
        nonlocal reads
        reads += 1
        return read(size)

    source.read = counted
    assert not Boxes(source).are_protected()
    assert reads <= 10_000
