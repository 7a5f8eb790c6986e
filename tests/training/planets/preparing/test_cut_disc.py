"""The square that is cut out, and a clean edge."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.training.planets.preparing.bodies import BALL, captioned, planet
from training.planets.preparing.cut_disc import Frame, cut, frame
from training.planets.preparing.disc import Disc, grid


def test_square_centred_pictures_keep_their_frame():
    kept = frame(Disc(256.4, 255.8, 241, 241, 0.0), (512, 512), "auto", 0.03, 241, True)
    moved = frame(Disc(229, 250, 168, 117, 0.0), (512, 512), "auto", 0.03, 230, False)
    wide = frame(Disc(700, 400, 300, 300, 0.0), (1920, 1080), "auto", 0.05, 400, True)

    assert kept == Frame(0, 0, 512)
    assert moved == Frame(229 - 256, 250 - 256, 512)
    assert (wide.left, wide.top, wide.side) == pytest.approx((370, 70, 660))


def test_world_framing_keeps_an_end_on_view_small():
    assert frame(Disc(300, 300, 60, 50, 0.0), (800, 600), "world", 0.0, 100, False).side == 200
    assert frame(Disc(300, 300, 60, 50, 0.0), (800, 600), "fill", 0.0, 100, False).side == 120
    assert frame(Disc(300, 300, 60, 55, 0.0), (800, 600), "auto", 0.0, 100, False).side == 200
    assert frame(Disc(300, 300, 60, 60, 0.0), (800, 600), "auto", 0.0, 100, True).side == 120


def test_a_cut_picture_has_no_trace_of_what_was_around():
    picture = captioned(planet((420, 380), BALL, background=(255, 0, 255)), (0, 0, 419, 30))

    pictures = cut(picture, BALL, Frame(69.3, 30.8, 282), (64, 200))

    for size, cutting in pictures.items():
        rgba = np.asarray(cutting).astype(int)
        assert cutting.size == (size, size)
        assert (rgba[rgba[..., 3] == 0] == 0).all()
        shown = rgba[rgba[..., 3] > 0]
        # The body is brown: red > green > blue. Magenta that came in through a filter would turn that round.
        assert (shown[:, 0] > shown[:, 1]).all()
        assert (shown[:, 1] > shown[:, 2]).all()
        assert rgba[..., 3].sum() / 255 == pytest.approx(math.pi * (120.5 * size / 282) ** 2, rel=0.01)


def test_a_frame_may_reach_beyond_the_picture():
    small = cut(planet((420, 380), BALL), BALL, Frame(-40, -80, 502), (32,))[32]

    assert np.asarray(small)[16, 16, 3] == 255
    assert np.asarray(small)[0, 0].tolist() == [0, 0, 0, 0]


def test_a_kept_frame_is_never_so_tight_that_it_cuts():
    disc = Disc(150, 100, 110, 110, 0.0)
    square = frame(disc, (300, 200), "keep", 0.03, 110, True)
    assert square.side >= 220
    assert square.left == round(150 - square.side / 2)
    assert isinstance(square.left, int)


def test_a_margin_is_a_part_of_the_long_axis_on_either_side():
    square = frame(Disc(100, 90, 40, 30, 0.5), (300, 200), "fill", 0.25, 80, True)
    assert (square.left, square.top, square.side) == pytest.approx((40, 30, 120))


def test_a_picture_that_need_not_be_scaled_is_not_touched_within():
    drawn = Disc(60.5, 59.5, 50, 50, 0.0)
    picture = planet((120, 120), drawn)
    found = np.asarray(cut(picture, drawn, Frame(0, 0, 120), (120,))[120])
    x, y = grid(120, 120)
    deep = drawn.distance(x, y) < -3
    assert np.array_equal(found[deep][:, :3], np.asarray(picture)[deep])
    alpha = (drawn.coverage(120, 120) * 255 + 0.5).astype(np.uint8)
    assert np.array_equal(found[..., 3], alpha)
