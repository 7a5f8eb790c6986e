"""Whoever opens a picture's file sees the picture that the door saw, or none."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from doors.images import BrokenImage, ImageRefused, inspect_image
from engines import images
from engines.base import BadInput

# Pillow warns about damaged metadata, which doors.images silences; pytest's own filters stand before that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def picture(size: tuple[int, int] = (60, 40)) -> Image.Image:
    down, across = np.mgrid[0 : size[1], 0 : size[0]]
    noise = np.random.default_rng(0).integers(0, 60, (size[1], size[0]))
    return Image.fromarray(np.stack([across * 3 + noise, down * 4 + noise, noise * 4], 2).astype(np.uint8))


def encoded(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    out = io.BytesIO()
    (image or picture()).save(out, kind, **options)
    return out.getvalue()


def dressed_as_webp() -> bytes:
    """A WebP of 16 x 16 with an unknown chunk, in which a Kodak Photo CD stands where its reader looks."""
    small = encoded("WEBP", picture((16, 16)), lossless=True)[12:]
    extended = struct.pack("<4sI", b"VP8X", 10) + bytes(4) + b"\x0f\0\0\x0f\0\0"
    unknown = bytearray(800_000)
    unknown[2048 - 38 : 2048 - 34] = b"PCD_"
    body = extended + struct.pack("<4sI", b"ABCD", len(unknown)) + unknown + small
    return struct.pack("<4sI4s", b"RIFF", len(body) + 4, b"WEBP") + body


def test_no_other_picture_is_read_in_a_file_than_the_door_saw() -> None:
    data = dressed_as_webp()
    assert Image.open(io.BytesIO(data)).format == "PCD"  # what a reader without a list makes of it

    info = inspect_image(io.BytesIO(data))

    assert (info.media_type, info.width, info.height) == ("image/webp", 16, 16)
    assert images.load_rgb(io.BytesIO(data)).size == (16, 16)


@pytest.mark.parametrize(
    "data", [b"", b"%!PS-Adobe-3.0 EPSF", b"P6\n4 4\n255\n" + bytes(48), b"qoif" + bytes(99)]
)
def test_what_the_door_does_not_take_no_reader_takes(data: bytes) -> None:
    with pytest.raises(ImageRefused):
        inspect_image(io.BytesIO(data))
    with pytest.raises(BadInput):
        images.load_rgb(io.BytesIO(data))


class TestAJpegWithoutItsEnd:
    KINDS = pytest.mark.parametrize(
        "options", [{}, {"progressive": True}, {"quality": 100, "optimize": True}]
    )

    @KINDS
    def test_it_is_taken_where_only_the_mark_is_missing(self, options: dict[str, object]) -> None:
        whole = encoded("JPEG", **options)
        assert whole.endswith(b"\xff\xd9")

        info = inspect_image(io.BytesIO(whole[:-2]))

        assert (info.width, info.height) == (60, 40)
        read = images.load_rgb(io.BytesIO(whole[:-2]))
        assert read.tobytes() == images.load_rgb(io.BytesIO(whole)).tobytes()

    def test_half_of_the_mark_is_no_mark(self) -> None:
        assert inspect_image(io.BytesIO(encoded("JPEG")[:-1])).width == 60

    @KINDS
    @pytest.mark.parametrize("kept", [0.5, 0.7, 0.9, 0.99])
    def test_it_is_refused_where_more_is_missing(self, options: dict[str, object], kept: float) -> None:
        whole = encoded("JPEG", picture((300, 200)), **options)
        part = io.BytesIO(whole[: int(len(whole) * kept)])

        with pytest.raises(BrokenImage, match="ends in the middle"):
            inspect_image(part)
        with pytest.raises(BadInput, match="ends in the middle"):
            images.load_rgb(part)


class TestDamagedMetadata:
    GARBAGE = pytest.mark.parametrize(
        "exif",
        [
            b"Exif\0\0garbage",
            b"Exif\0\0II*\0\xff\xff\xff\x7f",
            b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01",
            b"Exif\0\0",
        ],
    )

    @GARBAGE
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "HEIF"])
    def test_what_the_door_passes_is_read(self, kind: str, exif: bytes) -> None:
        data = encoded(kind, exif=exif)
        assert inspect_image(io.BytesIO(data)).width == 60
        assert images.load_rgb(io.BytesIO(data)).size == (60, 40)

    @pytest.mark.parametrize("profile", ["\nexif\n      4\nzzzz\n", "\nexif\n 3\n123\n", "", "\n\n\n\n\n"])
    def test_so_it_is_where_imagemagick_writes_it(self, profile: str) -> None:
        text = PngImagePlugin.PngInfo()
        text.add_text("Raw profile type exif", profile)
        data = encoded("PNG", pnginfo=text)
        assert inspect_image(io.BytesIO(data)).width == 60
        assert images.load_rgb(io.BytesIO(data)).size == (60, 40)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_door_and_reader_turn_a_picture_alike_and_once(kind: str, orientation: int) -> None:
    # given: red at the left top of an upright picture, stored as a camera held otherwise would
    upright = Image.new("RGB", (64, 48), (255, 255, 255))
    upright.paste((255, 0, 0), (0, 0, 32, 24))
    turns = [None, None, 0, 3, 1, 5, 2, 6, 4]  # Pillow's numbers of what undoes each
    turn = turns[orientation]
    stored = upright if turn is None else upright.transpose(Image.Transpose(turn))
    exif = Image.Exif()
    exif[274] = orientation
    data = encoded(
        kind, stored, **({"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": exif.tobytes()})
    )
    # when
    info, read = inspect_image(io.BytesIO(data)), images.load_rgb(io.BytesIO(data))
    # then
    assert (info.width, info.height) == read.size == (64, 48)
    assert np.abs(np.asarray(read, int) - np.asarray(upright, int))[4:20, 4:28].max() <= 8
    assert np.abs(np.asarray(read, int) - np.asarray(upright, int))[28:].max() <= 8


def test_a_heic_is_not_turned_by_its_exif() -> None:
    """Only the file's own rotation counts; EXIF repeats it, and is left when somebody cuts the file."""
    exif = Image.Exif()
    exif[274] = 6
    data = encoded("HEIF", exif=exif.tobytes())
    assert inspect_image(io.BytesIO(data)).height == 60
    without = data.replace(b"irot", b"free")
    assert inspect_image(io.BytesIO(without)).height == 40
    assert images.load_rgb(io.BytesIO(without)).size == (60, 40)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_tiff_s_xmp_counts_for_both(kind: str) -> None:
    xmp = b'<x tiff:Orientation="6"/>'
    if kind == "TIFF":
        data = encoded("TIFF", tiffinfo={700: xmp})
    else:
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        data = encoded("PNG", pnginfo=text)
    info = inspect_image(io.BytesIO(data))
    assert (info.width, info.height) == images.load_rgb(io.BytesIO(data)).size == (40, 60)
