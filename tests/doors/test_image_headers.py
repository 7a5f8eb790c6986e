"""What a file declares of itself: sizes, frames, orientation, and what of it is refused."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from doors import image_headers
from doors.image_facts import Header, HeaderError
from doors.image_headers import exif_orientation, read_header, tiff_directory


def encoded(mode: str, kind: str, side: int = 64, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (side, side)).save(out, kind, **options)
    return out.getvalue()


def header(kind: str, data: bytes) -> Header:
    return read_header(f"image/{kind}", io.BytesIO(data))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes, size: tuple[int, int] = (70, 50)) -> bytes:
    first = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + first + b"".join(chunks)


def tiff(
    *entries: tuple[int, int, int, int], order: str = "<", following: int = 0, extra: bytes = b""
) -> bytes:
    """One directory; entries are (tag, type, count, value or offset)."""
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", 42, 8)
    table = b"".join(struct.pack(order + "HHII", *entry) for entry in entries)
    return head + struct.pack(order + "H", len(entries)) + table + struct.pack(order + "I", following) + extra


SIZED = [(256, 4, 1, 70), (257, 4, 1, 50)]


class TestPng:
    def test_its_code_points_are_the_first_that_it_names(self):
        said = [chunk(b"cICP", bytes([9, 16, 0, 1])), chunk(b"cICP", bytes([1, 13, 0, 1]))]
        assert header("png", png(*said)) == Header(70, 50, code_points=(9, 16))
        assert header("png", png(chunk(b"cICP", b"\x09"))).code_points is None

    def test_what_stands_behind_its_end_is_not_read(self):
        assert not header("png", png(chunk(b"IEND", b""), chunk(b"acTL", bytes(8)))).animated

    def test_one_that_is_cut_behind_its_header_still_has_its_size(self):
        assert header("png", png(chunk(b"IDAT", bytes(9))[:5])) == Header(70, 50)

    @pytest.mark.parametrize(
        ("data", "says"),
        [
            (png()[:8], "ends before its header"),
            (png()[:8] + chunk(b"IDAT", b"") + png()[8:], "first chunk is not its header"),
            (png(png()[8:]), "first chunk is not its header"),
            (png()[:20], "middle of its header"),
        ],
        ids=["nothing", "late", "twice", "cut"],
    )
    def test_without_a_header_at_its_place_it_is_refused(self, data, says):
        with pytest.raises(HeaderError, match=says):
            header("png", data)


class TestJpeg:
    def test_what_comes_at_once_is_not_kept(self):
        assert header("jpeg", encoded("RGB", "JPEG")) == Header(64, 64)

    @pytest.mark.parametrize(("mode", "components"), [("L", 1), ("RGB", 3), ("CMYK", 4)])
    def test_the_coefficients_of_a_progressive_one_are_kept_in_whole_blocks(self, mode, components):
        found = header("jpeg", encoded(mode, "JPEG", 70, progressive=True))
        assert found.working_bytes == 2 * components * 96 * 96

    def test_its_end_is_marked_or_not(self):
        whole = encoded("RGB", "JPEG")
        assert header("jpeg", whole).ended
        assert not header("jpeg", whole[:-2]).ended

    def test_bytes_between_segments_are_passed_over_up_to_a_bound(self):
        whole = encoded("RGB", "JPEG")
        some = whole[:2] + bytes(5) + b"\xff\xff" + whole[2:]
        assert header("jpeg", some) == Header(64, 64)
        with pytest.raises(HeaderError, match="mostly junk"):
            header("jpeg", whole[:2] + bytes(200_000) + whole[2:])

    def test_of_two_pictures_neither_is_believed(self):
        whole = encoded("RGB", "JPEG")
        at = whole.index(b"\xff\xc0")
        frame = whole[at : at + 2 + int.from_bytes(whole[at + 2 : at + 4], "big")]
        with pytest.raises(HeaderError, match="two pictures at once"):
            header("jpeg", whole[:at] + frame + whole[at:])


class TestOthers:
    def test_a_webp_of_each_kind(self):
        lossy, lossless = encoded("RGB", "WEBP"), encoded("RGB", "WEBP", lossless=True)
        extended = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\x2b\x01\0" + b"\xc7\0\0"
        assert header("webp", lossy) == header("webp", lossless) == Header(64, 64)
        assert header("webp", b"RIFF\0\0\0\0WEBP" + extended) == Header(300, 200)
        with pytest.raises(HeaderError, match="first chunk is not a picture"):
            header("webp", b"RIFF\0\0\0\0WEBP" + b"EXIF" + bytes(20))

    def test_a_webp_that_animates_says_so_in_its_header_or_in_a_chunk(self):
        def extended(flags: int) -> bytes:
            return b"RIFF\0\0\0\0WEBPVP8X" + struct.pack("<I", 10) + bytes([flags]) + bytes(9)

        assert not header("webp", extended(0)).animated
        assert header("webp", extended(2)).animated
        assert header("webp", extended(0) + b"ANMF" + bytes(4)).animated

    def test_a_gif_s_canvas_grows_to_hold_a_frame_that_sticks_out(self):
        def frame(left: int, top: int, across: int, down: int) -> bytes:
            return b"," + struct.pack("<HHHHB", left, top, across, down, 0) + b"\2\1x\0"

        canvas = b"GIF89a" + struct.pack("<HHBBB", 40, 30, 0x80, 0, 0) + bytes(6)
        assert header("gif", canvas + frame(0, 0, 10, 10) + b";") == Header(40, 30)
        assert header("gif", canvas + frame(35, 0, 10, 50) + b";") == Header(45, 50)
        assert header("gif", canvas + frame(0, 0, 1, 1) * 2 + b";").animated
        with pytest.raises(HeaderError, match="no part of a GIF"):
            header("gif", canvas + b"x")

    def test_a_bmp_may_stand_on_its_head_or_be_an_old_one(self):
        def bmp(*info: bytes) -> bytes:
            return b"BM" + bytes(12) + b"".join(info) + bytes(8)

        assert header("bmp", bmp(struct.pack("<IiiHHI", 40, 70, -50, 1, 24, 0))) == Header(70, 50)
        assert header("bmp", bmp(struct.pack("<IHH", 12, 70, 50))) == Header(70, 50)
        for compression in (1, 2):
            with pytest.raises(HeaderError, match="run-length"):
                header("bmp", bmp(struct.pack("<IiiHHI", 40, 70, 50, 1, 8, compression)))
        assert header("bmp", bmp(struct.pack("<IiiHHI", 40, 70, 50, 1, 16, 3))).width == 70


class TestTiff:
    @pytest.mark.parametrize("order", ["<", ">"])
    def test_whole_numbers_of_the_first_directory_in_either_order(self, order):
        short = 7 if order == "<" else 7 << 16  # stands in the first half of its four bytes
        data = tiff((256, 4, 1, 70), (257, 3, 1, short), (270, 2, 4, 0), (258, 3, 3, 0), order=order)
        assert tiff_directory(io.BytesIO(data)) == ({256: 70, 257: 7, 270: -1, 258: -1}, False)

    def test_a_second_directory_makes_pages(self):
        assert header("tiff", tiff(*SIZED)) == Header(70, 50)
        assert header("tiff", tiff(*SIZED, following=8)).animated

    def test_a_directory_that_leads_back_to_itself_is_read_once(self):
        tags, _ = tiff_directory(io.BytesIO(tiff(*SIZED, (0x8769, 4, 1, 8))))
        assert tags[256] == 70

    @pytest.mark.parametrize(
        ("more", "piece"),
        [
            ([], 0),
            ([(259, 3, 1, 1), (258, 3, 1, 8)], 0),  # not packed
            ([(259, 3, 1, 5), (258, 3, 1, 8)], 70 * 50),
            ([(259, 3, 1, 5), (258, 3, 1, 8), (278, 4, 1, 10)], 70 * 10),
            ([(259, 3, 1, 5), (258, 3, 1, 8), (278, 4, 1, 900)], 70 * 50),
            ([(259, 3, 1, 5), (258, 3, 3, 999), (277, 3, 1, 3)], 70 * 50 * 3 * 2),  # a list of bits
            ([(259, 3, 1, 5), (258, 3, 1, 16), (322, 4, 1, 64), (323, 4, 1, 32)], 64 * 32 * 2),
        ],
        ids=["plain", "unpacked", "strip", "rows", "too-many-rows", "samples", "tiles"],
    )
    def test_one_strip_or_tile_is_unpacked_as_a_whole(self, more, piece):
        assert header("tiff", tiff(*SIZED, *more)).working_bytes == piece

    @pytest.mark.parametrize(
        ("data", "says"),
        [
            (tiff((256, 4, 1, 70)), "how large"),
            (b"II\x2b\0" + bytes(12), "BigTIFF"),
            (tiff(*SIZED, (322, 4, 1, 1025)), "tiles are larger"),
            (tiff(*[(number, 3, 1, 0) for number in range(4097)]), "number of tags"),
            (
                tiff(*SIZED, *[(1000 + number, 7, 60_000, 8) for number in range(5)], extra=bytes(60_000)),
                "much",
            ),
        ],
        ids=["no-size", "big", "tiles", "tags", "payload"],
    )
    def test_what_is_absurd_is_refused(self, data, says):
        with pytest.raises(HeaderError, match=says):
            header("tiff", data)


class TestExif:
    @pytest.mark.parametrize(("value", "found"), [(1, 1), (6, 6), (8, 8), (0, None), (9, None)])
    def test_an_orientation_is_one_of_eight(self, value, found):
        block = tiff((image_headers.ORIENTATION, 3, 1, value))
        assert exif_orientation(block) == exif_orientation(b"Exif\0\0" * 2 + block) == found

    def test_damage_is_no_orientation_and_no_refusal(self):
        assert exif_orientation(b"") is None
        assert exif_orientation(b"Exif\0\0II*\0\xff\xff\xff\x7f") is None

    def test_a_block_that_is_too_large_is_refused(self):
        with pytest.raises(HeaderError, match="too large"):
            exif_orientation(bytes(image_headers._MAX_METADATA + 1))


def with_scans(data: bytes, count: int, between: bytes = b"") -> bytes:
    """A progressive JPEG with its last scan so many times more."""
    start, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:end] + (between + data[start:end]) * count + data[end:]


def test_what_scans_cost_together_is_bounded():
    large = encoded("L", "JPEG", 8000, progressive=True)
    assert read_header("image/jpeg", io.BytesIO(large)).width == 8000
    assert read_header("image/jpeg", io.BytesIO(with_scans(large, 10))).width == 8000
    with pytest.raises(HeaderError, match="too many scans"):
        read_header("image/jpeg", io.BytesIO(with_scans(large, 30)))
    # as many of a small picture are no harm
    small = encoded("L", "JPEG", 500, progressive=True)
    assert read_header("image/jpeg", io.BytesIO(with_scans(small, 30))).width == 500


def test_an_end_inside_a_comment_hides_no_scans():
    comment = b"\xff\xfe\x00\x06\xff\xd9\xff\xd9"
    data = with_scans(encoded("L", "JPEG", 64, progressive=True), 120, comment)
    with pytest.raises(HeaderError, match="too many scans"):
        read_header("image/jpeg", io.BytesIO(data))


@pytest.mark.parametrize("block", range(2, 30))
def test_scans_are_counted_wherever_a_block_of_the_file_ends(monkeypatch, block):
    monkeypatch.setattr(image_headers, "_BLOCK", block)
    data = encoded("L", "JPEG", 64, progressive=True)
    room = image_headers._MAX_SCANS - data.count(b"\xff\xda")
    comment = b"\xff\xfe\x00\x09scan\xff\xda\xff"

    assert read_header("image/jpeg", io.BytesIO(with_scans(data, room, comment))).width == 64
    with pytest.raises(HeaderError, match="too many scans"):
        read_header("image/jpeg", io.BytesIO(with_scans(data, room + 1, comment)))
