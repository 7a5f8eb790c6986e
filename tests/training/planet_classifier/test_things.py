"""Drawn round things on nothing, and what they are made of."""

from __future__ import annotations

import numpy as np
import pytest

from training.planet_classifier import things

SIDE = 128
MAKERS = sorted(set(things.MAKERS), key=lambda maker: maker.__name__)


def chance(seed: int = 4) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("maker", MAKERS)
def test_every_maker_draws_for_many_seeds(maker):
    drawn = [maker(chance(seed), SIDE) for seed in range(6)]

    assert {(picture.size, picture.mode) for picture in drawn} == {((SIDE, SIDE), "RGBA")}
    assert len({picture.tobytes() for picture in drawn}) > 2
    assert drawn[0].tobytes() == maker(chance(0), SIDE).tobytes()


@pytest.mark.parametrize("maker", MAKERS)
def test_things_have_nothing_around_them(maker):
    alpha = np.asarray(maker(chance(), SIDE).getchannel("A"))

    assert alpha[0, 0] == alpha[-1, -1] == 0
    assert (alpha > 127).mean() > 0.05


@pytest.mark.parametrize("maker", [maker for maker in MAKERS if maker is not things.emblem])
def test_round_things_are_as_large_as_their_square_lets_them_be(maker):
    """0.95 of it, with an edge of one pixel."""
    alpha = np.asarray(maker(chance(), SIDE).getchannel("A"), dtype=float) / 255
    assert alpha.sum() == pytest.approx(np.pi * (0.475 * SIDE) ** 2, rel=0.01)
    assert np.array_equal(alpha, alpha[::-1])
    assert np.array_equal(alpha, alpha.T)
    assert 0 < ((alpha > 0) & (alpha < 1)).sum() < 4 * np.pi * 0.475 * SIDE


def test_places_are_counted_from_the_middle_to_the_rim():
    x, y, distance, angle = things._polar(SIDE)
    assert np.allclose(x, y.T)
    assert np.allclose(distance, np.hypot(x, y))
    assert distance.min() < 0.02
    row = SIDE // 2
    assert abs(angle[row, -1]) < 0.05
    assert angle[-1, row] == pytest.approx(np.pi / 2, abs=0.05)
    rim = SIDE // 2 * 1.95 - 1
    assert distance[row, round(rim)] == pytest.approx(1.0, abs=0.03)


def test_a_ball_is_lit_from_one_side_and_never_brighter_than_white():
    grey = np.full((SIDE, SIDE, 3), 0.5)
    _, _, distance, _ = things._polar(SIDE)
    for seed in range(8):
        lit = things._lit(chance(seed), grey)[distance < 0.95]
        assert 0.5 * 0.05 <= lit.min() <= lit.max()
        assert np.allclose(lit[:, 0], lit[:, 2])
        assert np.ptp(lit) > 0.01
        assert lit.max() >= 0.49  # somewhere it faces the light


def test_bumps_change_the_light_and_nothing_else():
    grey = np.full((SIDE, SIDE, 3), 0.5)
    relief = 0.1 * np.sin(np.arange(SIDE) / 3)[None].repeat(SIDE, 0)
    flat, bumpy = things._lit(chance(), grey), things._lit(chance(), grey, relief)
    level = things._lit(chance(), grey, np.zeros((SIDE, SIDE)))
    assert np.allclose(flat, level)
    middle = slice(SIDE // 3, -SIDE // 3)
    assert np.diff(bumpy[middle, middle, 0]).std() > 3 * np.diff(flat[middle, middle, 0]).std()


def test_no_odd_world_has_the_colours_of_one():
    """Green to pink: no reds, oranges and yellows."""
    for seed in range(6):
        rgba = np.asarray(things.odd_world(chance(seed), 64), dtype=float)
        shown = rgba[rgba[..., 3] == 255][:, :3]
        red, green, blue = shown.mean(0)
        assert not (red > green > blue)
