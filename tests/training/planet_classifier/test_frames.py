"""Drawn pictures that fill their square, and what they are drawn with."""

from __future__ import annotations

import numpy as np
import pytest

from training.planet_classifier import frames

SIDE = 128


def chance(seed: int = 4) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("maker", sorted(set(frames.MAKERS), key=lambda maker: maker.__name__))
def test_every_maker_draws_for_many_seeds(maker):
    drawn = [maker(chance(seed), SIDE) for seed in range(6)]

    assert {(picture.size, picture.mode) for picture in drawn} == {((SIDE, SIDE), "RGB")}
    assert len({picture.tobytes() for picture in drawn}) > 2
    assert drawn[0].tobytes() == maker(chance(0), SIDE).tobytes()


def test_fractal_noise_is_the_smoother_the_steeper_it_falls():
    rough, even, smooth = (frames.fractal(chance(), SIDE, slope) for slope in (0.0, 1.0, 2.0))
    for values in (rough, even, smooth):
        assert values.shape == (SIDE, SIDE)
        assert (values.min(), values.max()) == (0.0, 1.0)
    steps = [np.abs(np.diff(values)).mean() for values in (rough, even, smooth)]
    assert steps[0] > 2 * steps[1] > 4 * steps[2]


def test_a_palette_gives_equal_values_equal_colours():
    values = np.array([[0.0, 0.5, 1.0], [0.5, 0.5, 0.0]])
    rgb = frames.palette(chance(), values)
    assert rgb.shape == (2, 3, 3)
    assert np.array_equal(rgb[0, 1], rgb[1, 1])
    assert np.array_equal(rgb[0, 0], rgb[1, 2])
    assert 0 <= rgb.min() <= rgb.max() <= 1


def test_some_colours_are_greys():
    source = chance()
    colours = [frames.any_colour(source) for _ in range(400)]
    assert {min(colour) >= 0 and max(colour) <= 255 for colour in colours} == {True}
    greys = sum(len(set(colour)) == 1 for colour in colours)
    assert 70 < greys < 140


def test_what_is_too_bright_is_white_and_halves_are_rounded():
    picture = frames.to_picture(np.array([[[-1.0, 0.5, 7.0]]]))
    assert picture.getpixel((0, 0)) == (0, 128, 255)


def test_one_colour_is_often_black_or_white():
    colours = [frames.flat(chance(seed), 4).getpixel((0, 0)) for seed in range(200)]
    assert 30 < colours.count((0, 0, 0)) < 75
    assert 22 < colours.count((255, 255, 255)) < 62
