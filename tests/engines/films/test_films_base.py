"""Films: every frame, the right speed, and the same file after a stop."""

from __future__ import annotations

import tracemalloc
from contextlib import closing
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engines.films import FILMS, begun
from engines.films.base import Segments
from tests.engines.films.filming import colours, made
from tests.examples import examples


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
