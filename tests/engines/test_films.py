"""Films: every frame, the right speed, and the same file after a stop."""

from __future__ import annotations

import io
import itertools
import json
import tracemalloc
import zipfile
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engines.films import FILMS, begun, mp4
from engines.films.base import Segments, segment_length
from engines.films.frames import WebP
from engines.films.mp4 import Mp4
from engines.images import read_metadata
from tests.examples import examples

RATES = [Fraction(12), Fraction(24), Fraction(30_000, 1001), Fraction(60)]


def colours(count: int, size: tuple[int, int], mode: str = "RGB") -> list[Image.Image]:
    fill = [(n * 255 // count, 80, 120) + ((200,) if mode == "RGBA" else ()) for n in range(count)]
    return [Image.new(mode, size, shade) for shade in fill]


def made(kind, rate, frames, target, state=None):
    with FILMS[kind](rate, state) as film:
        for frame in frames[film.done :]:
            film.add(frame)
        film.finish(target, {"seed": 5})
    return target.read_bytes()


@pytest.mark.parametrize("size", [(64, 64), (65, 65), (16, 511)])
@pytest.mark.parametrize("rate", RATES)
def test_mp4_plays_every_frame_at_the_right_speed(tmp_path, size, rate):
    # given: more than two segments
    count = 2 * segment_length(rate) + 7
    # when
    data = made("mp4", rate, colours(count, size), tmp_path / "film.mp4")
    # then
    with av.open(io.BytesIO(data)) as film:
        stream = film.streams.video[0]
        frames = list(film.decode(stream))
        assert stream.average_rate == rate
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert '"seed": 5' in film.metadata["comment"]
        assert [round(frame.pts * stream.time_base * rate) for frame in frames] == list(range(count))
        assert len({b.pts - a.pts for a, b in itertools.pairwise(frames)}) == 1
    last = frames[-1].to_ndarray(format="rgb24")
    assert last.shape[:2] == (size[1] + size[1] % 2, size[0] + size[0] % 2)
    assert abs(int(last[10, 10, 0]) - (count - 1) * 255 // count) < 12
    assert data.index(b"moov") < data.index(b"mdat")  # plays while it loads


@pytest.mark.parametrize("kind", FILMS)
@pytest.mark.parametrize("stop", [0, 1, 24, 25, 53])
def test_a_film_taken_up_again_comes_out_the_same(tmp_path, kind, stop):
    # given
    frames, rate = colours(60, (64, 48)), Fraction(12)
    whole = made(kind, rate, frames, tmp_path / "whole")
    # when
    with FILMS[kind](rate) as film:
        for frame in frames[:stop]:
            film.add(frame)
        state = film.state()
    # then
    with FILMS[kind](rate, state) as again:
        assert again.done <= stop
    assert made(kind, rate, frames, tmp_path / "again", state) == whole


@pytest.mark.parametrize("kind", FILMS)
@pytest.mark.parametrize("cut", [1, 9, -1])
def test_a_film_with_a_damaged_checkpoint_begins_again(tmp_path, kind, cut):
    # given
    frames, rate = colours(30, (64, 48)), Fraction(12)
    whole = made(kind, rate, frames, tmp_path / "whole")
    with FILMS[kind](rate) as film:
        for frame in frames:
            film.add(frame)
        film.finish(tmp_path / "film", {})
        state = film.state()
    # when
    with begun(kind, rate, state[:cut]) as again:
        done = again.done
        for frame in frames:
            again.add(frame)
        again.finish(tmp_path / "again", {"seed": 5})
    # then
    assert done == 0
    assert (tmp_path / "again").read_bytes() == whole
    with begun(kind, rate, state) as sound:
        assert sound.done > 0


def test_an_mp4_s_checkpoint_holds_what_was_encoded(tmp_path):
    frames, rate = colours(50, (64, 64)), Fraction(12)
    with Mp4(rate) as film:
        for frame in frames:
            film.add(frame)
        film.finish(tmp_path / "film.mp4", {})
        state = film.state()
    with closing(Segments(state)) as whole, closing(Segments()) as part:
        for segment in list(whole)[:2]:
            part.add(segment)
        state = part.state()
    with Mp4(rate, state) as again:
        assert again.done == 48


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
    frames = [Image.effect_noise((20, 10), 90).convert("RGB") for _ in range(3)]
    data = made("zip", Fraction(24), frames, tmp_path / "film.zip")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        assert names == ["frame-00000.png", "frame-00001.png", "frame-00002.png", "metadata.json"]
        assert json.loads(archive.read("metadata.json")) == {"seed": 5}
        for name, frame in zip(names, frames, strict=False):
            assert np.array_equal(np.asarray(Image.open(io.BytesIO(archive.read(name)))), np.asarray(frame))


def test_frames_have_one_size():
    with Mp4(Fraction(12)) as film:
        film.add(Image.new("RGB", (64, 64)))
        with pytest.raises(ValueError, match="a frame of"):
            film.add(Image.new("RGB", (32, 32)))


def test_what_the_encoder_raises_reaches_who_adds_frames(monkeypatch):
    monkeypatch.setitem(mp4._OPTIONS, "preset", "no such preset")
    with Mp4(Fraction(12)) as film:
        with pytest.raises(av.FFmpegError):
            add_for_ever(film)
        with pytest.raises(av.FFmpegError):
            film.finish(Path("never written"), {})


def add_for_ever(film: Mp4) -> None:
    while True:
        film.add(Image.new("RGB", (64, 64)))


def test_an_encoder_that_breaks_down_does_not_leave_its_film_waiting(monkeypatch):
    monkeypatch.setattr("threading.excepthook", lambda _: None)  # the default one prints what broke

    def broken(_):
        raise MemoryError

    monkeypatch.setattr(mp4, "_even", broken)
    with Mp4(Fraction(12)) as film, pytest.raises(RuntimeError, match="broke down"):
        add_for_ever(film)


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_segments_come_back(blobs):
    with closing(Segments()) as segments:
        for blob in blobs:
            segments.add(blob)
        with closing(Segments(segments.state())) as again:
            assert list(again) == list(segments) == blobs
            assert again.size == sum(map(len, blobs))


@settings(max_examples=examples(200))
@given(st.binary(max_size=60))
def test_what_is_no_checkpoint_is_refused_or_read(data):
    try:
        segments = Segments(data)
    except ValueError:
        return
    with closing(segments):
        assert segments.state() == data
        assert segments.size + 8 * len(segments) == len(data)


def test_a_long_film_does_not_fill_memory(tmp_path):
    frame = Image.effect_noise((512, 512), 90)
    tracemalloc.start()
    try:
        with FILMS["zip"](Fraction(24)) as film:
            for _ in range(40):
                film.add(frame)
            film.finish(tmp_path / "film.zip", {})
            size = film.size
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 8_000_000
    assert peak < size / 4


def test_frames_of_a_webp_need_no_more_than_themselves():
    with WebP(Fraction(10)) as film:
        film.add(Image.new("RGB", (8, 8)))
        assert film.done == 1
        with closing(Segments(film.state())) as kept:
            assert len(kept) == 1
