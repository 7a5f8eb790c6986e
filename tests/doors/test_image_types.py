"""What a file's first bytes say it is."""

from __future__ import annotations

import struct

import pytest

from doors.image_types import EXTENSIONS, FORMATS, TAKEN, markup_of, name_of, sniff
from tests.doors.made_boxes import box


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\x89PNG\n\x1a\n", None),  # went through a transfer that changed its line ends
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\xff\xd8\x00", None),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"GIF87a", "image/gif"),
        (b"GIF88a", None),
        (b"II*\0\x08\0\0\0", "image/tiff"),
        (b"MM\0*\0\0\0\x08", "image/tiff"),
        (b"II*\0\x10\0\0\0CR\x02\0", None),  # a Canon RAW file is a TIFF by its first bytes
        (b"II+\0\x08\0\0\0", None),
    ],
)
def test_a_type_is_known_by_its_first_bytes(head: bytes, media_type: str | None) -> None:
    assert sniff(head) == media_type


@pytest.mark.parametrize(("size", "is_one"), [(12, True), (40, True), (124, True), (41, False), (0, False)])
def test_a_bmp_is_one_by_the_size_of_its_header_too(size: int, is_one: bool) -> None:
    """Its two letters begin many a text."""
    head = b"BM" + bytes(12) + struct.pack("<I", size)
    assert sniff(head) == ("image/bmp" if is_one else None)


def test_the_brand_says_which_of_both_it_is() -> None:
    assert sniff(box(b"ftyp", b"mif1", bytes(4), b"mif1", b"heic")) == "image/heic"
    assert sniff(box(b"ftyp", b"mif1", bytes(4), b"avif", b"mif1")) == "image/avif"
    assert sniff(box(b"ftyp", b"heix", bytes(4), b"avif")) == "image/heic"
    assert sniff(box(b"ftyp", b"isom", bytes(4), b"avif")) is None
    assert sniff(box(b"ftyp", b"mif1", bytes(4)) + b"avifheic") is None


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"", "empty"),
        (b"RIFF\0\0\0\0AVI LIST", "a video"),
        (b"II+\0\x08\0", "a BigTIFF"),
        (b"MM\0+\0\x08", "a BigTIFF"),
        (box(b"ftyp", b"isom", bytes(4)), "a video"),
        (box(b"ftyp", b"msf1", bytes(4)), "a HEIF picture in an unusual coding"),
        (b"<svg/>", "an SVG drawing"),
        ("Zürich".encode() * 700, "text"),
        (b"\xc3 is no letter of a text", None),
        (b"\xff" * 99, None),
        (b"a text\0 with a zero in it", None),
    ],
    ids=[
        "empty", "avi", "bigtiff", "bigtiff-mm", "film", "heif", "svg", "text", "no-utf8", "ones", "zero",
    ],
)  # fmt: skip
def test_what_is_not_taken_is_called_by_its_name(head: bytes, name: str | None) -> None:
    assert name_of(head) == name


def test_a_text_may_be_cut_in_the_middle_of_its_last_character() -> None:
    assert name_of("Das ist schön".encode()[:-2]) == "text"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xef\xbb\xbf \n<!DOCTYPE HTML>", "a web page"),
        (b"<?xml version='1.0'?><SVG/>", "an SVG drawing"),
        (b"<?xml version='1.0'?><rss/>", "an XML document"),
        (b"5 < 6", None),
    ],
)
def test_what_is_in_angle_brackets_is_told_apart(head: bytes, name: str | None) -> None:
    assert markup_of(head) == name


def test_every_type_has_an_extension_of_its_own_and_is_in_the_sentence() -> None:
    assert set(EXTENSIONS) == set(FORMATS.values())
    assert len(set(EXTENSIONS.values())) == len(EXTENSIONS)
    assert TAKEN == "a PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or HEIC"
