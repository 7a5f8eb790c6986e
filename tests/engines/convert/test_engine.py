"""Conversions, looked at: sizes, pixels, alpha, types; and what is said of a picture that cannot be used."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from engines import images
from engines.base import BadInput, Interrupted
from engines.convert.engine import Engine
from engines.convert.spec import ConvertParams

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


@pytest.fixture
def made(make_context):
    """`made(picture, width=...)`: the result for this picture, and its meta."""

    def make(picture: Image.Image, **changes: Any) -> tuple[Image.Image, dict[str, Any]]:
        params = ConvertParams(**{"image": "art_a", "seed": 7, **changes})
        (output,) = Engine().run(params, make_context({"art_a": picture}))
        with Image.open(io.BytesIO(output.data), formats=["PNG", "JPEG", "WEBP", "AVIF"]) as opened:
            opened.load()
            assert Image.MIME[opened.format or ""] == output.media_type == images.MEDIA_TYPES[params.format]
        assert images.read_metadata(output.data) == output.meta
        assert opened.size == (output.meta["width"], output.meta["height"])
        return opened, dict(output.meta)

    return make


def halves() -> Image.Image:
    """120 x 40: red on the left, blue on the right."""
    picture = Image.new("RGB", (120, 40), RED)
    picture.paste(BLUE, (60, 0, 120, 40))
    return picture


def test_nothing_asked_is_nothing_changed(made, photo):
    cat = photo("chelsea", 96)
    result, meta = made(cat)
    assert result.tobytes() == cat.tobytes()
    assert (meta["from"], meta["kept"]) == ([96, 64], [0, 0, 96, 64])


@pytest.mark.parametrize(
    ("focus", "colours"), [("left", {RED}), ("right", {BLUE}), ("center", {RED, BLUE}), ("top", {RED, BLUE})]
)
def test_a_crop_keeps_what_is_in_focus(made, focus, colours):
    result, _ = made(halves(), crop="1:1", focus=focus)
    assert result.size == (40, 40)
    assert {colour for _, colour in result.getcolors()} == colours


def test_automatic_focus_looks(made):
    picture = Image.new("RGB", (300, 100), (50, 50, 50))
    picture.paste(halves().resize((30, 30)), (260, 30))
    _, meta = made(picture, crop="1:1", focus="auto")
    assert meta["kept"][0] > 150


def test_cover_and_contain_have_both_sides(made):
    covered, _ = made(halves(), width=20, height=20, fit="cover")
    assert covered.size == (20, 20)
    assert covered.getpixel((1, 1)) == RED
    framed, _ = made(halves(), width=60, height=60, fit="contain", background="white")
    assert (framed.mode, framed.size) == ("RGB", (60, 60))
    assert [framed.getpixel((5, y)) for y in (5, 30, 55)] == [WHITE, RED, WHITE]
    bare, _ = made(halves(), width=60, height=60, fit="contain")
    assert (bare.mode, bare.getpixel((5, 5))[3], bare.getpixel((5, 30))) == ("RGBA", 0, (*RED, 255))
    jpeg, _ = made(halves(), width=60, height=60, fit="contain", format="jpeg")
    assert np.abs(np.subtract(jpeg.getpixel((30, 3)), WHITE)).max() <= 2


def test_nothing_is_enlarged_unless_it_is_asked(made):
    assert made(halves(), width=1000)[0].size == (120, 40)
    assert made(halves(), width=1000, height=1000, fit="cover")[0].size == (40, 40)
    assert made(halves(), width=240, enlarge=True)[0].size == (240, 80)
    assert made(halves(), scale=2)[0].size == (240, 80)


def test_light_adds_up(made):
    lines = np.zeros((64, 64, 3), np.uint8)
    lines[::2] = 255
    result, _ = made(Image.fromarray(lines), scale=0.25)
    assert np.abs(np.asarray(result)[3:-3].astype(int) - 188).max() <= 1


@pytest.mark.parametrize("kind", ["png", "webp", "avif"])
def test_alpha_is_kept_or_backed(made, kind):
    glass = Image.new("RGBA", (40, 40), (255, 0, 0, 128))
    kept, _ = made(glass, width=20, format=kind)
    assert kept.mode == "RGBA"
    assert np.abs(np.subtract(kept.getpixel((10, 10)), (255, 0, 0, 128))).max() <= 4
    backed, _ = made(glass, width=20, format=kind, background="#0000ff")
    assert backed.mode == "RGB"
    assert np.abs(np.subtract(backed.getpixel((10, 10)), (128, 0, 127))).max() <= 4


def test_a_jpeg_is_on_white_or_on_what_is_asked_for(made):
    glass = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    assert np.abs(np.subtract(made(glass, format="jpeg")[0].getpixel((9, 9)), WHITE)).max() <= 2
    on_blue = made(glass, format="jpeg", background="blue")[0].getpixel((9, 9))
    assert np.abs(np.subtract(on_blue, BLUE)).max() <= 3


@pytest.mark.parametrize("kind", ["jpeg", "webp", "avif"])
def test_less_quality_is_a_smaller_file(make_context, photo, kind):
    sizes = []
    for quality in (5, 95):
        params = ConvertParams(image="art_a", format=kind, quality=quality, seed=7)
        (output,) = Engine().run(params, make_context({"art_a": photo("coffee", 96)}))
        sizes.append(len(output.data))
    assert sizes[0] < sizes[1] / 2


def test_it_is_upright_in_srgb_and_tells_nothing_of_where_it_was_taken(make_context, tmp_path):
    # given: a picture on its side, with a profile and a place
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    halves().save(tmp_path / "a.jpg", exif=exif, icc_profile=profile, quality=95)
    context = make_context()
    context.files["art_a"] = tmp_path / "a.jpg"
    # when
    (output,) = Engine().run(ConvertParams(image="art_a", format="webp", seed=7), context)
    # then
    with Image.open(io.BytesIO(output.data), formats=["WEBP"]) as result:
        assert result.size == (40, 120)
        assert not result.getexif().get_ifd(ExifTags.IFD.GPSInfo)
        assert result.getpixel((20, 10))[0] > 200
        assert result.getpixel((20, 110))[2] > 200


def test_a_picture_that_cannot_be_read_is_said_beside_its_field(make_context, tmp_path):
    context = make_context()
    (tmp_path / "a.png").write_bytes(b"hello")
    context.files["art_a"] = tmp_path / "a.png"
    for ref in ("art_a", "art_b"):
        with pytest.raises(BadInput) as caught:
            list(Engine().run(ConvertParams(image=ref, seed=7), context))
        assert caught.value.field == "image"


@pytest.mark.parametrize(
    ("size", "changes", "field"),
    [
        ((17_000, 1), {"format": "webp"}, "format"),
        ((5, 4), {"format": "avif", "width": 6000, "enlarge": True}, "format"),
        ((5, 4), {"width": 16_000, "height": 16_000, "enlarge": True}, "width"),
    ],
    ids=["webp", "avif", "any"],
)
def test_absurd_sizes_are_refused_before_anything_is_scaled(make_context, size, changes, field):
    context = make_context({"art_a": Image.new("RGB", size)})
    with pytest.raises(BadInput) as caught:
        list(Engine().run(ConvertParams(image="art_a", seed=7, **changes), context))
    assert caught.value.field == field
    assert [report.message for report in context.reports] == ["reading"]


def test_it_stops_when_asked(make_context):
    for stop_at in (1, 2, 3):
        with pytest.raises(Interrupted):
            list(
                Engine().run(
                    ConvertParams(image="art_a", seed=7), make_context({"art_a": halves()}, stop_at=stop_at)
                )
            )
