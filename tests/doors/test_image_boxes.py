"""The headers of AVIF and HEIC: what is read of them, what is refused, and that nothing else happens."""

from __future__ import annotations

import io
import random
import struct
import time
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from doors.image_facts import Header, HeaderError
from doors.image_headers import read_header
from doors.image_types import FORMATS
from doors.images import AnimatedImage, BrokenImage, inspect_image
from tests.doors.made_boxes import box, full, heic, ispe, tiles
from tests.examples import examples

KINDS = ("AVIF", "HEIF")


def picture(size: tuple[int, int] = (70, 50), mode: str = "RGB") -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert(mode)


def encoded(kind: str, image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def header(kind: str, data: bytes) -> Header:
    return read_header(FORMATS[kind], io.BytesIO(data))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (70, 50), (50, 70), (333, 77)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_sizes(kind: str, size: tuple[int, int], mode: str) -> None:
    data = encoded(kind, picture(size, mode))
    found, info = header(kind, data), inspect_image(io.BytesIO(data))
    assert (info.width, info.height) == size
    if kind == "AVIF":
        assert ((found.width, found.height), found.animated) == (size, False)
    else:  # whose coder fills the last blocks, which are cut off again
        assert size[0] <= found.width <= max(64, size[0] + 1)
        assert size[1] <= found.height <= max(64, size[1] + 1)


def test_a_heic_of_tiles_as_phones_write_it() -> None:
    data = encoded("HEIF", picture((1200, 700)), tile_size=256)
    assert data.count(b"hvc1") >= 15
    assert (header("HEIF", data).width, header("HEIF", data).height) == (1200, 700)
    assert inspect_image(io.BytesIO(data)).width == 1200


@pytest.mark.parametrize("brand", [b"avis", b"msf1", b"hevc", b"hevx"])
def test_what_is_played_is_an_animation(brand: bytes) -> None:
    data = box(b"ftyp", brand, bytes(4), b"avisheic") + box(b"moov", bytes(99))
    with pytest.raises(AnimatedImage):
        inspect_image(io.BytesIO(data))


def test_a_track_beside_the_picture_is_an_animation() -> None:
    assert header("HEIF", heic([ispe(8, 8)], tiles(1)) + box(b"moov")).animated


REFUSED = {
    "nothing": (b"", "does not say what is in it"),
    "no items": (full(b"meta", full(b"hdlr")), "does not say what is in it"),
    "large": (struct.pack(">I4s", 2**31, b"meta") + bytes(99), "too large"),
    "larger": (struct.pack(">I4sQ", 1, b"meta", 2**63) + bytes(99), "too large"),
    "impossible": (struct.pack(">I4s", 7, b"free") + bytes(99), "impossible"),
    "impossible inside": (full(b"meta", struct.pack(">I4s", 4, b"free")), "impossible"),
    "longer than what is around it": (full(b"meta", struct.pack(">I4s", 400, b"free")), "impossible"),
    "many boxes": (box(b"free") * 2000, "too many"),
    "many boxes inside": (full(b"meta", box(b"free") * 5000), "too many"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_absurd_boxes_are_refused(name: str) -> None:
    body, says = REFUSED[name]
    with pytest.raises(HeaderError, match=says):
        header("HEIF", box(b"ftyp", b"heic", bytes(4)) + body)


def test_a_box_may_reach_to_the_end() -> None:
    data = heic([ispe(9, 5)], tiles(1))
    at = data.index(b"meta") - 4
    assert header("HEIF", data[:at] + bytes(4) + data[at + 4 :]).width == 9


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (heic([], tiles(1)), "how large"),
        (heic([ispe(8, 8)], struct.pack(">IHBB", 1, 2, 1, 1)), "how large"),  # of another item
        (heic([ispe(8, 8)], struct.pack(">IHBB", 1, 1, 1, 9)), "how large"),  # a property that is not there
        (heic([ispe(64, 64), ispe(8000, 8000)], tiles(2)), "larger than the picture"),
        (heic([ispe(64, 64), ispe(1024, 1024)], tiles(900)), "larger than the picture"),
        (heic([ispe(64, 64), ispe(8, 8)], tiles(1001)), "too many"),
        (heic([ispe(64, 64)], struct.pack(">I", 2**32 - 1)), "too many"),
        (heic([ispe(64, 64)], struct.pack(">IHB", 1, 1, 200)), "middle of its header"),
    ],
)  # fmt: skip
def test_absurd_sayings_are_refused(data: bytes, says: str) -> None:
    with pytest.raises(HeaderError, match=says):
        header("HEIF", data)


def test_a_stream_larger_than_its_picture_is_refused_before_it_is_decoded() -> None:
    """Its decoder would make room for all of it."""
    large = encoded("AVIF", picture((900, 700), "L"))
    lying = large.replace(struct.pack(">II", 900, 700), struct.pack(">II", 64, 64))
    assert lying != large
    with pytest.raises(BrokenImage, match="about its size"):
        inspect_image(io.BytesIO(lying))


def test_a_larger_mask_is_refused_too() -> None:
    whole = encoded("AVIF", picture((70, 50), "RGBA"))
    other = encoded("AVIF", picture((900, 700), "RGBA"))
    # the colours' size is right, the mask's property is not
    places = [at for at in range(len(other)) if other.startswith(b"ispe", at)]
    assert len(places) >= 1
    assert header("AVIF", whole).width == 70
    shrunk = other.replace(struct.pack(">II", 900, 700), struct.pack(">II", 70, 50))
    with pytest.raises(HeaderError, match="about its size"):
        header("AVIF", shrunk)


@cache
def seeds() -> list[tuple[str, bytes]]:
    return [
        *[(kind, encoded(kind, picture((24, 18), mode))) for kind in KINDS for mode in ("RGB", "RGBA")],
        ("AVIF", encoded("AVIF", picture((24, 18)), save_all=True, append_images=[picture((24, 18), "L")])),
        ("HEIF", encoded("HEIF", picture((300, 200)), tile_size=64)),
        ("HEIF", heic([ispe(64, 64), ispe(8, 8)], tiles(9))),
    ]


NUMBERS = [bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\1", b"\0\0\0\x08", b"\0\0\1\0", b"\x80\0\0\0"]


@settings(max_examples=examples(600), deadline=None)
@given(which=st.integers(0, 6), seed=st.integers(0, 2**32))
def test_whatever_is_changed_it_is_read_or_refused(which: int, seed: int) -> None:
    kind, data = seeds()[which]
    chance, out = random.Random(seed), bytearray(data)
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(min(len(out), 800))
        match chance.randrange(5):
            case 0:
                out[at] = chance.randrange(256)
            case 1:
                out[at : at + 4] = chance.choice(NUMBERS)
            case 2:
                del out[at : at + chance.randint(1, 40)]
            case 3:
                out[at:at] = out[at : at + chance.randint(1, 200)]
            case 4:
                del out[len(out) - chance.randint(0, len(out) // 2) :]
        out = out or bytearray(1)
    begun = time.process_time()
    try:
        found = header(kind, bytes(out))
    except HeaderError:
        pass  # all it may raise
    else:
        assert found.width >= 0
    assert time.process_time() - begun < 1
