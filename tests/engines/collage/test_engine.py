"""Collages, looked at: sizes, pixels, alpha, captions; and what is said of pictures that cannot be used."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from engines import images
from engines.base import BadInput, Interrupted
from engines.collage.engine import Engine
from engines.collage.spec import CollageParams

RED, GREEN, BLUE = (255, 0, 0), (0, 128, 0), (0, 0, 255)


@pytest.fixture
def made(make_context):
    """`made({"art_a": picture}, width=...)`: the collage of these pictures, and its meta."""

    def make(pictures: dict[str, Image.Image], **changes: Any) -> tuple[Image.Image, dict[str, Any]]:
        params = CollageParams(**{"images": list(pictures), "seed": 7, "gap": 4, **changes})
        (output,) = Engine().run(params, make_context(pictures))
        with Image.open(io.BytesIO(output.data), formats=["PNG", "JPEG", "WEBP"]) as opened:
            opened.load()
            assert Image.MIME[opened.format or ""] == output.media_type
        assert images.read_metadata(output.data) == output.meta
        assert (opened.width, opened.height) == (output.meta["width"], output.meta["height"])
        return opened, dict(output.meta)

    return make


def plain(colour: Any, size: tuple[int, int] = (60, 40), mode: str = "RGB") -> Image.Image:
    return Image.new(mode, size, colour)


THREE = {"art_a": plain(RED), "art_b": plain(GREEN, (40, 60)), "art_c": plain(BLUE, (50, 50))}


def inside(sheet: Image.Image, box: list[int]) -> set[Any]:
    left, top, width, height = box
    return {colour for _, colour in sheet.crop((left, top, left + width, top + height)).getcolors(10**6)}


@pytest.mark.parametrize("layout", ["grid", "mosaic", "strip"])
def test_each_picture_fills_its_box_on_the_background(made, layout):
    sheet, meta = made(THREE, layout=layout, width=200, background="#102030")
    assert (sheet.mode, sheet.width) == ("RGB", 200)
    assert [inside(sheet, box) for box in meta["boxes"]] == [{RED}, {GREEN}, {BLUE}]
    assert sheet.getpixel((0, 0)) == (16, 32, 48)
    assert {colour for _, colour in sheet.getcolors(9)} == {RED, GREEN, BLUE, (16, 32, 48)}


def test_a_column_is_as_wide_as_the_whole(made):
    sheet, meta = made(THREE, layout="strip", direction="column", width=128, margin=0)
    assert [box[2:] for box in meta["boxes"]] == [[128, 85], [128, 192], [128, 128]]
    assert sheet.height == 85 + 192 + 128 + 2 * 4


def test_cover_cuts_and_contain_shows_all(made):
    # given: blue with a red edge on either side, in square cells
    wide = plain(BLUE, (90, 30))
    wide.paste(RED, (0, 0, 15, 30))
    wide.paste(RED, (75, 0, 90, 30))
    # when
    covered, meta = made({"art_a": wide}, cell="1:1", width=100, margin=20)
    shown, _ = made({"art_a": wide}, cell="1:1", width=100, margin=20, fit="contain")
    # then
    (box,) = meta["boxes"]
    assert box == [20, 20, 60, 60]
    assert inside(covered, box) == {BLUE}
    assert [shown.getpixel((21, y)) for y in (21, 50, 79)] == [(255, 255, 255), RED, (255, 255, 255)]
    assert shown.getpixel((50, 50)) == BLUE


def test_what_can_be_seen_through_shows_the_background(made):
    glass = {"art_a": plain((255, 0, 0, 128), mode="RGBA"), "art_b": plain((0, 0, 0, 0), mode="RGBA")}
    on_white, meta = made(glass, width=100)
    assert inside(on_white, meta["boxes"][0]) == {(255, 127, 127)}
    assert inside(on_white, meta["boxes"][1]) == {(255, 255, 255)}
    for kind in ("png", "webp"):
        on_nothing, meta = made(glass, width=100, background="transparent", format=kind, caption="Über")
        assert on_nothing.mode == "RGBA"
        alpha = np.asarray(on_nothing)[..., 3]
        assert alpha[0, 0] == 0
        left, top, width, height = meta["boxes"][0]
        assert abs(int(alpha[top + height // 2, left + width // 2]) - 128) <= 1
        assert alpha[top + height + 4 :].max() > 200, "the caption can be seen"


def test_captions_make_room_and_can_be_read_on_any_background(made):
    bare, _ = made(THREE, columns=3, width=400)
    for background, dark in (("white", True), ("black", False), ("#ff0", True), ("navy", False)):
        sheet, meta = made(THREE, columns=3, width=400, captions=["Äpfel", "", "Ёж"], background=background)
        assert sheet.height > bare.height
        behind = sheet.getpixel((0, 0))
        for number, box in enumerate(meta["boxes"]):
            left, top, width, height = box
            under = np.asarray(sheet.crop((left, top + height, left + width, sheet.height)).convert("RGB"))
            letters = under[np.abs(under.astype(int) - behind).sum(axis=2) > 200]
            assert (len(letters) > 10) == (number != 1)
            assert not len(letters) or (letters.mean() < 110) == dark


def test_one_caption_is_under_the_whole(made):
    bare, _ = made(THREE, width=400)
    sheet, _ = made(THREE, width=400, caption="Три цвета")
    assert (
        sheet.crop((0, 0, 400, bare.height - 4)).tobytes()
        == bare.crop((0, 0, 400, bare.height - 4)).tobytes()
    )
    letters = np.asarray(sheet.convert("L"))[bare.height - 4 :]
    columns = np.flatnonzero((letters < 128).any(axis=0))
    assert abs(columns[0] - (399 - columns[-1])) <= 3


@pytest.mark.parametrize(
    "text", ["🎉", "\u202e\u0000", "Z" + "\u0336" * 150, "\n\n\n", "W" * 200, "w " * 100], ids=list("abcdef")
)
def test_hostile_captions_harm_nothing(made, text):
    sheet, meta = made(THREE, width=200, captions=[text], caption=text)
    assert sheet.height < 600
    assert [inside(sheet, box) for box in meta["boxes"]] == [{RED}, {GREEN}, {BLUE}]


def test_what_could_not_be_written_is_said(made):
    _, meta = made(THREE, captions=["a 🎉", "b 🎉 日"], caption="🎉 本")
    assert meta["left_out"] == "🎉日本"
    _, meta = made(THREE, captions=["a"])
    assert "left_out" not in meta


def test_a_picture_is_upright_and_a_large_jpeg_is_not_decoded_in_full(make_context, tmp_path, monkeypatch):
    # given: red above blue, when it is upright, in a file that lies on its side
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    lying = plain(RED, (1600, 800))
    lying.paste(BLUE, (800, 0, 1600, 800))
    lying.save(tmp_path / "a.jpg", exif=exif, quality=95)
    context = make_context()
    context.files["art_a"] = tmp_path / "a.jpg"
    decoded = []
    whole = images.load
    monkeypatch.setattr(images, "load", lambda *a, **k: decoded.append(whole(*a, **k)) or decoded[-1])
    # when
    (output,) = Engine().run(
        CollageParams(images=["art_a"], width=100, margin=0, layout="mosaic", seed=7), context
    )
    # then
    with Image.open(io.BytesIO(output.data), formats=["PNG"]) as sheet:
        assert sheet.size == (100, 200)
        assert np.abs(np.subtract(sheet.getpixel((50, 30)), RED)).max() <= 3
        assert np.abs(np.subtract(sheet.getpixel((50, 170)), BLUE)).max() <= 3
    assert [one.size for one in decoded] == [(200, 400)]


def test_it_is_the_same_every_time_and_the_seed_changes_nothing(made, photo):
    cats = {f"art_{n}": photo("chelsea", 40 + n) for n in range(5)}
    first, _ = made(cats, layout="mosaic", width=300, captions=["Kot"])
    again, _ = made(cats, layout="mosaic", width=300, captions=["Kot"], seed=8)
    assert first.tobytes() == again.tobytes()


def test_a_hundred_pictures(made):
    sheet, meta = made({"art_a": plain(RED, (8, 8))}, images=["art_a"] * 100, width=300)
    assert len(meta["boxes"]) == 100
    assert all(inside(sheet, box) == {RED} for box in meta["boxes"])


def test_a_picture_that_cannot_be_read_is_named(make_context):
    context = make_context({"art_a": plain(RED)})
    whole = context.files["art_a"].read_bytes()
    for number, data in enumerate((b"", b"hello", whole[:-40])):
        broken = context.scratch / f"{number}.png"
        broken.write_bytes(data)
        context.files["art_b"] = broken
        with pytest.raises(BadInput, match="picture 2: this picture cannot be read") as caught:
            list(Engine().run(CollageParams(images=["art_a", "art_b"], width=64, seed=7), context))
        assert caught.value.field == "images.1"
    with pytest.raises(BadInput, match="picture 1: no such file"):
        list(Engine().run(CollageParams(images=["art_c"], seed=7), context))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"layout": "strip", "direction": "column", "width": 8192}, "width"),
        ({"layout": "mosaic", "width": 2000}, "width"),
        ({"margin": 2000, "width": 4000}, "margin"),
        ({"gap": 1000, "columns": 2, "width": 900, "margin": 0}, "gap"),
    ],
    ids=["tall", "thin", "margin", "gap"],
)
def test_absurd_sizes_are_refused_before_anything_is_drawn(make_context, changes, field):
    context = make_context({"art_a": plain(RED, (1, 500))})
    with pytest.raises(BadInput) as caught:
        list(Engine().run(CollageParams(images=["art_a", "art_a"], seed=7, **changes), context))
    assert caught.value.field == field
    assert {report.message for report in context.reports} == {"measuring"}


def test_progress_is_told_of_every_picture_and_it_stops_when_asked(make_context):
    pictures = dict(THREE)
    context = make_context(pictures, keep_previews=True)
    list(Engine().run(CollageParams(images=list(pictures), width=100, seed=7), context))
    assert [r.message for r in context.reports] == ["measuring"] * 3 + ["placing"] * 3 + ["writing"]
    fractions = [report.fraction for report in context.reports]
    assert fractions == sorted(fractions)
    assert len(context.previews) == 3
    for stop_at in (1, 5, 7):
        with pytest.raises(Interrupted):
            list(
                Engine().run(
                    CollageParams(images=list(pictures), width=100, seed=7),
                    make_context(pictures, stop_at=stop_at),
                )
            )
