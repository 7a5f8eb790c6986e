"""Reading any picture as upright RGB, and writing pictures with their metadata."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

from engines import images
from engines.base import BadInput

RED, WHITE = (255, 0, 0), (255, 255, 255)


def pixel(picture: Image.Image, x: int, y: int) -> tuple[int, ...]:
    value = picture.getpixel((x, y))
    assert isinstance(value, tuple)
    return value


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    # given: an upright picture, 4 x 2, red in its top left corner, stored as a camera held otherwise would
    upright = Image.new("RGB", (4, 2), WHITE)
    upright.putpixel((0, 0), RED)
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored.save(tmp_path / "photo.png", exif=exif)
    # when
    loaded = images.load_rgb(tmp_path / "photo.png")
    # then
    assert loaded.size == (4, 2)
    assert pixel(loaded, 0, 0) == RED


def test_transparency_is_flattened_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (3, 3), (255, 0, 0, 0)).save(tmp_path / "a.png")
    Image.new("RGBA", (3, 3), (255, 0, 0, 255)).save(tmp_path / "b.png")
    Image.new("LA", (3, 3), (0, 0)).save(tmp_path / "c.png")
    assert pixel(images.load_rgb(tmp_path / "a.png"), 1, 1) == WHITE
    assert pixel(images.load_rgb(tmp_path / "b.png"), 1, 1) == RED
    assert pixel(images.load_rgb(tmp_path / "c.png"), 1, 1) == WHITE


def test_a_transparent_palette_colour_is_white(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1), 0)
    picture.putpalette([0, 0, 255, 255, 0, 0])
    picture.putpixel((1, 0), 1)
    picture.save(tmp_path / "a.gif", transparency=0)
    loaded = images.load_rgb(tmp_path / "a.gif")
    assert (pixel(loaded, 0, 0), pixel(loaded, 1, 0)) == (WHITE, RED)


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.array([[0, 32768, 65535]], dtype=np.uint16)
    for name in ("a.png", "a.tif"):
        Image.fromarray(values).save(tmp_path / name)
        loaded = np.asarray(images.load_rgb(tmp_path / name))[0, :, 0]
        assert loaded.tolist() == [0, 128, 255]


def test_float_grey_is_read_in_zero_to_one(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0.0, 0.5, 1.0, np.nan]], dtype=np.float32)).save(tmp_path / "a.tif")
    assert np.asarray(images.load_rgb(tmp_path / "a.tif"))[0, :, 1].tolist() == [0, 128, 255, 0]


@pytest.mark.parametrize("mode", ["1", "L", "CMYK", "YCbCr", "RGB"])
def test_white_stays_white_in_every_mode(tmp_path: Path, mode: str) -> None:
    suffix = "png" if mode in ("1", "L", "RGB") else "jpg"
    Image.new("RGB", (9, 9), WHITE).convert(mode).save(tmp_path / f"a.{suffix}")
    assert min(pixel(images.load_rgb(tmp_path / f"a.{suffix}"), 4, 4)) >= 253


def test_lab_is_converted(tmp_path: Path) -> None:
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = ImageCms.applyTransform(Image.new("RGB", (4, 4), (200, 40, 90)), to_lab)
    assert lab is not None
    lab.save(tmp_path / "a.tif")
    assert np.abs(np.subtract(pixel(images.load_rgb(tmp_path / "a.tif"), 1, 1), (200, 40, 90))).max() <= 4


def test_a_broken_colour_profile_is_ignored(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2), RED).save(tmp_path / "a.png", icc_profile=b"not a profile")
    assert pixel(images.load_rgb(tmp_path / "a.png"), 0, 0) == RED


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + b"\x00" * 40])
def test_what_is_no_picture_is_bad_input(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(BadInput):
        images.load_rgb(tmp_path / "a.png")


def test_a_truncated_picture_is_bad_input(tmp_path: Path, photo: Callable[[str, int], Image.Image]) -> None:
    photo("chelsea", 64).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput):
        images.load_rgb(tmp_path / "a.png")


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        images.load_rgb(tmp_path / "nowhere.png")


@given(
    width=st.integers(1, 10_000),
    height=st.integers(1, 10_000),
    long_side=st.integers(1, 4096),
)
def test_fit_size_keeps_the_long_side_and_the_aspect(width: int, height: int, long_side: int) -> None:
    new = images.fit_size(width, height, long_side)
    assert max(new) == long_side
    assert min(new) >= 1
    exact = min(width, height) * long_side / max(width, height)
    assert abs(min(new) - exact) <= 0.5 or min(new) == 1


def test_arrays_round_trip(photo: Callable[[str, int], Image.Image]) -> None:
    picture = photo("coffee", 40)
    assert images.from_array(images.as_array(picture)).tobytes() == picture.tobytes()


def test_values_outside_are_clipped() -> None:
    array = np.array([[[-1.0, 2.0, np.nan]]])
    assert pixel(images.from_array(array), 0, 0) == (0, 255, 0)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "avif"])
def test_metadata_round_trips(kind: str, photo: Callable[[str, int], Image.Image]) -> None:
    metadata = {"seed": 2**62, "strength": 0.5, "name": "Zoë ☂", "list": [1, 2]}
    data = images.encode(photo("chelsea", 40), kind, metadata)
    assert images.read_metadata(data) == metadata
    with Image.open(io.BytesIO(data)) as opened:
        assert Image.MIME[opened.format or ""] == images.MEDIA_TYPES[kind]


def test_a_foreign_file_has_no_metadata(photo: Callable[[str, int], Image.Image]) -> None:
    for kind in ("PNG", "JPEG", "WEBP", "AVIF"):
        out = io.BytesIO()
        photo("chelsea", 20).save(out, kind)
        assert images.read_metadata(out.getvalue()) is None


def test_an_unknown_format_is_refused(photo: Callable[[str, int], Image.Image]) -> None:
    with pytest.raises(ValueError, match="webm"):
        images.encode(photo("chelsea", 8), "webm", {})


@pytest.mark.parametrize("kind", ["jpeg", "webp", "avif"])
def test_less_quality_is_a_smaller_file(kind: str, photo: Callable[[str, int], Image.Image]) -> None:
    sizes = [len(images.encode(photo("coffee", 96), kind, {}, quality)) for quality in (5, 50, 95)]
    assert sizes == sorted(sizes)
    assert sizes[0] < len(images.encode(photo("coffee", 96), kind, {})) < sizes[-1] * 1.5


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "HEIF"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_upright_size_is_the_loaded_picture_s(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.new("RGB", (64, 32), RED).save(tmp_path / "a", kind, exif=exif)
    size = images.load(tmp_path / "a").size
    assert images.upright_size(tmp_path / "a") == size
    # how a HEIC lies its EXIF does not say
    assert size == ((32, 64) if orientation > 4 and kind != "HEIF" else (64, 32))


def test_a_png_may_say_behind_its_data_how_it_lies(tmp_path: Path) -> None:
    # given: a PNG whose EXIF stands before its end and not before its data
    out = io.BytesIO()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (64, 32), RED).save(out, "PNG", exif=exif)
    data = out.getvalue()
    at = data.index(b"eXIf") - 4
    chunk = data[at : at + 12 + int.from_bytes(data[at : at + 4])]
    end = data.index(b"IEND") - 4
    (tmp_path / "a.png").write_bytes(data[:at] + data[at + len(chunk) : end] + chunk + data[end:])
    # then
    assert images.upright_size(tmp_path / "a.png") == (32, 64) == images.load(tmp_path / "a.png").size


def test_a_jpeg_is_decoded_no_larger_than_needed(
    tmp_path: Path, photo: Callable[[str, int], Image.Image]
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    photo("coffee", 480).save(tmp_path / "a.jpg", exif=exif)  # 320 x 480 when it is upright
    assert images.load(tmp_path / "a.jpg", least=(80, 120)).size == (80, 120)
    assert images.load(tmp_path / "a.jpg", least=(81, 120)).size == (160, 240)
    assert images.load(tmp_path / "a.jpg", least=(1, 1)).size == (40, 60)
    assert images.load(tmp_path / "a.jpg", least=(5000, 5000)).size == (320, 480)
    photo("coffee", 480).save(tmp_path / "a.png")
    assert images.load(tmp_path / "a.png", least=(1, 1)).size == (480, 320)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + b"\x00" * 40])
def test_what_is_no_picture_has_no_size(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(BadInput, match="cannot be read"):
        images.upright_size(tmp_path / "a.png")


def test_previews_are_small_jpegs(photo: Callable[[str, int], Image.Image]) -> None:
    with Image.open(io.BytesIO(images.preview(photo("coffee", 600), long_side=100))) as opened:
        assert (opened.format, max(opened.size)) == ("JPEG", 100)
    with Image.open(io.BytesIO(images.preview(Image.new("RGB", (1, 1))))) as opened:
        assert opened.size == (1, 1)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (5, 3, 2), (64, 8, 8)])
def test_a_contact_sheet_holds_all_pictures_in_order(count, columns, rows, mode):
    # given
    shades = [Image.new("L", (64, 64), 3 * n).convert(mode) for n in range(1, count + 1)]
    # when
    sheet = images.contact_sheet(shades)
    # then
    assert sheet.size == (columns * 68 + 4, rows * 68 + 4)
    assert sheet.mode == mode
    assert not np.asarray(sheet)[0, 0].any()  # black between them; transparent where they have an alpha
    for place, shade in enumerate(shades):
        at = (4 + place % columns * 68 + 32, 4 + place // columns * 68 + 32)
        assert sheet.getpixel(at) == shade.getpixel((32, 32))
