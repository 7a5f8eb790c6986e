"""Where the items of an AVIF or a HEIC lie, and what is refused of what a file says about it."""

from __future__ import annotations

import io
import struct

import pytest

from doors.image_boxes import read_boxes
from doors.image_facts import HeaderError
from doors.image_items import Contents
from tests.doors.made_boxes import box, full, heic, ispe, sequence

FILE = bytes(range(100))


def iloc(*items: bytes, version: int = 0, widths: bytes = b"\x44\0", count: int | None = None) -> memoryview:
    """The content of an `iloc` box; `widths` are of an offset, a length, a base and an index."""
    said = len(items) if count is None else count
    counted = struct.pack(">I" if version == 2 else ">H", said)
    return memoryview(bytes([version, 0, 0, 0]) + widths + counted + b"".join(items))


def extents(*places: tuple[int, int]) -> bytes:
    return struct.pack(">H", len(places)) + b"".join(struct.pack(">II", *place) for place in places)


def item(number: int, *places: tuple[int, int], file: int = 0) -> bytes:
    return struct.pack(">HH", number, file) + extents(*places)


def contents(said: memoryview, idat: bytes = b"", file: bytes = FILE) -> Contents:
    return Contents(io.BytesIO(file), said, memoryview(idat))


def test_an_item_is_its_parts_one_after_another():
    found = contents(iloc(item(1, (10, 3), (50, 2)), item(2, (0, 4))))
    assert bytes(found.of(1)) == FILE[10:13] + FILE[50:52]
    assert bytes(found.of(2)) == FILE[:4]


def test_a_length_of_nothing_is_all_that_is_left_and_what_lies_beyond_is_not_there():
    found = contents(iloc(item(1, (90, 0)), item(2, (90, 40)), item(3, (200, 5))))
    assert bytes(found.of(1)) == bytes(found.of(2)) == FILE[90:]
    assert bytes(found.of(3)) == b""


def test_an_item_that_lies_nowhere_is_empty():
    assert bytes(contents(iloc(item(1, (0, 5)))).of(9)) == b""
    assert bytes(contents(memoryview(b"")).of(1)) == b""


@pytest.mark.parametrize("version", [1, 2])
def test_later_versions_say_where_and_may_mean_the_box_beside(version):
    number = ">I" if version == 2 else ">H"
    here = struct.pack(number, 1) + struct.pack(">HH", 1, 0) + extents((2, 3))
    elsewhere = struct.pack(number, 2) + struct.pack(">HH", 2, 0) + extents((2, 3))  # by another item
    found = contents(iloc(here, elsewhere, version=version), idat=b"abcdefgh")
    assert bytes(found.of(1)) == b"cde"
    assert bytes(found.of(2)) == b""


def test_a_base_is_added_to_each_offset_and_an_index_is_passed_over():
    # given: an item of the file, based at 40, of two parts with an index each
    said = struct.pack(">HHH", 1, 0, 0) + struct.pack(">I", 40) + struct.pack(">H", 2)
    parts = struct.pack(">III", 99, 1, 2) + struct.pack(">III", 99, 30, 3)
    # when
    found = contents(iloc(said + parts, version=1, widths=b"\x44\x44"))
    # then
    assert bytes(found.of(1)) == FILE[41:43] + FILE[70:73]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (iloc(version=3), "impossible"),
        (iloc(widths=b"\x34\0"), "impossible"),
        (iloc(widths=b"\x44\x20"), "impossible"),
        (iloc(count=1001), "too many pictures"),
        (iloc(struct.pack(">HHH", 1, 0, 1001)), "too many pieces"),
    ],
    ids=["version", "offset", "base", "items", "parts"],
)
def test_what_is_absurd_is_refused(said, error):
    with pytest.raises(HeaderError, match=error):
        contents(said)


def test_a_box_that_ends_in_the_middle_of_a_number_raises_what_its_reader_expects():
    whole = iloc(item(1, (10, 3)))
    with pytest.raises(struct.error):
        contents(whole[:-1])


def test_what_is_asked_for_twice_counts_twice():
    """Twice the file and 64 KiB are the most of all."""
    found = contents(iloc(item(1, (0, 0))), file=bytes(100_000))
    for _ in range(2):
        assert len(found.of(1)) == 100_000
    with pytest.raises(HeaderError, match="larger than the file"):
        found.of(1)


def test_items_upon_each_other_are_read_no_more_than_twice() -> None:
    stream = sequence(8, 8) + b"\x7a\xa0\x8d\x06" + bytes(100_000)  # and what only fills

    def located_at(offset: int) -> bytes:
        located = (struct.pack(">HHHII", item, 0, 1, offset, len(stream)) for item in range(1, 901))
        return full(b"iloc", b"\x44\0", struct.pack(">H", 900), *located)

    both = b"".join(struct.pack(">HBBB", item, 2, 1, 2) for item in range(1, 901))

    def file(offset: int) -> bytes:
        said = [ispe(8, 8), box(b"av1C", bytes(4))]
        found = heic(said, struct.pack(">I", 900) + both, located_at(offset), brand=b"avif")
        return found + box(b"mdat", stream)

    with pytest.raises(HeaderError, match="larger than the file"):
        read_boxes(io.BytesIO(file(len(file(0)) - len(stream))))
