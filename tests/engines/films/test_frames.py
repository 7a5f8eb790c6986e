"""Animated WebP and a ZIP of PNG files: every frame, its time, and nothing besides."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import closing
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from engines.films import frames
from engines.films.base import Segments
from engines.films.frames import WebP
from engines.images import read_metadata
from tests.engines.films.filming import RATES, colours, made


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("rate", RATES)
def test_webp_has_every_frame_and_repeats(tmp_path, mode, rate):
    # when
    data = made("webp", rate, colours(7, (65, 33), mode), tmp_path / "film.webp")
    # then
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.n_frames, image.info["loop"], image.size) == ("WEBP", 7, 0, (65, 33))
        times = []
        for number in range(7):
            image.seek(number)
            image.load()
            times.append(image.info["duration"])
        assert sum(times) == round(7000 / rate)
        assert max(times) - min(times) <= 1
        last = image.convert("RGBA").getpixel((30, 30))
        assert abs(last[0] - 6 * 255 // 7) < 12
        assert last[3] == (200 if mode == "RGBA" else 255)
    assert read_metadata(data) == {"seed": 5}


def test_a_frame_of_a_transparent_webp_does_not_shine_through_the_next(tmp_path):
    shapes = [Image.new("RGBA", (32, 32)) for _ in range(2)]
    shapes[0].paste((255, 0, 0, 255), (0, 0, 16, 32))
    shapes[1].paste((0, 255, 0, 255), (16, 0, 32, 32))
    with Image.open(io.BytesIO(made("webp", Fraction(10), shapes, tmp_path / "a"))) as image:
        image.seek(1)
        assert image.convert("RGBA").getpixel((8, 16))[3] == 0


def test_a_zip_holds_lossless_frames_in_order(tmp_path):
    pictures = [Image.effect_noise((20, 10), 90).convert("RGB") for _ in range(3)]
    data = made("zip", Fraction(24), pictures, tmp_path / "film.zip")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        assert names == ["frame-00000.png", "frame-00001.png", "frame-00002.png", "metadata.json"]
        assert json.loads(archive.read("metadata.json")) == {"seed": 5}
        for name, frame in zip(names, pictures, strict=False):
            assert np.array_equal(np.asarray(Image.open(io.BytesIO(archive.read(name)))), np.asarray(frame))


def test_frames_of_a_webp_need_no_more_than_themselves():
    with WebP(Fraction(10)) as film:
        film.add(Image.new("RGB", (8, 8)))
        assert film.done == 1
        with closing(Segments(film.state())) as kept:
            assert len(kept) == 1


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_of_a_still_webp_its_picture_alone_is_taken(mode):
    # given: one with a profile and EXIF, which belong to the film and not to a frame
    out = io.BytesIO()
    still = Image.new(mode, (9, 9), (9, 99, 200, 77)[: len(mode)])
    still.save(out, "WEBP", exif=b"Exif\0\0II", icc_profile=b"x" * 9)
    names = [name for name, _ in frames._chunks(out.getvalue())]
    assert {b"EXIF", b"ICCP"} < set(names)
    # when
    kept = [name for name, _ in frames._chunks(bytes(12) + frames._image(out.getvalue()))]
    # then
    assert kept == [name for name in names if name in (b"ALPH", b"VP8 ", b"VP8L")] != []


def test_a_chunk_of_odd_length_is_filled_and_found_again():
    joined = frames._chunk(b"ODD ", b"abc") + frames._chunk(b"EVEN", b"abcd")
    assert len(joined) == 8 + 4 + 8 + 4
    assert list(frames._chunks(bytes(12) + joined)) == [(b"ODD ", b"abc"), (b"EVEN", b"abcd")]


def test_a_riff_says_its_length(tmp_path):
    data = made("webp", Fraction(10), colours(2, (7, 5)), tmp_path / "film")
    assert int.from_bytes(data[4:8], "little") == len(data) - 8


def test_the_same_frames_are_the_same_archive(tmp_path):
    one, two = (made("zip", Fraction(10), colours(2, (7, 5)), tmp_path / name) for name in ("one", "two"))
    assert one == two
    with zipfile.ZipFile(tmp_path / "one") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
