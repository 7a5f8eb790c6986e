"""The disc is found where it was drawn (balls, ellipsoids, dark sides, noise, captions), and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.training.planets.preparing.bodies import BALL, EGG, assert_same, captioned, planet
from training.planets.preparing import find_disc
from training.planets.preparing.disc import Disc, grid
from training.planets.preparing.find_disc import find

REAL = Path(__file__).parents[5] / "shared" / "data" / "planets"


@pytest.mark.parametrize("drawn", [BALL, EGG], ids=["ball", "egg"])
def test_a_body_is_found_to_a_quarter_of_a_pixel(drawn):
    found = find(planet((420, 380), drawn))

    assert_same(found.disc, drawn, 0.25)
    assert found.disc.sure
    assert not found.covered


def test_the_angle_of_an_ellipsoid():
    found = find(planet((420, 380), EGG)).disc

    assert found.angle == pytest.approx(EGG.angle, abs=0.01)
    assert found.ratio == pytest.approx(EGG.ratio, abs=0.01)


@pytest.mark.parametrize("noise", [4.0, 12.0])
def test_noise_costs_little(noise):
    found = find(planet((420, 380), BALL, noise=noise))

    assert_same(found.disc, BALL, 0.5)


def test_a_very_dark_body():
    found = find(planet((420, 380), BALL, colour=(34, 30, 28)))

    assert_same(found.disc, BALL, 0.6)


@pytest.mark.parametrize("background", [(30, 40, 60), (235, 235, 235)], ids=["blue", "white"])
def test_a_background_that_is_not_black(background):
    found = find(planet((420, 380), BALL, background=background))

    assert_same(found.disc, BALL, 0.75)


def test_a_large_picture_is_measured_in_its_own_pixels():
    drawn = BALL.scaled(5.0)

    found = find(planet((2100, 1900), drawn))

    assert_same(found.disc, drawn, 1.5)


@pytest.mark.parametrize(
    "light",
    [(1.0, 0.2, 0.6), (-0.8, -0.8, 0.35), (0.0, 1.0, 0.0), (1.0, 0.0, -0.3)],
    ids=["gibbous", "less", "half", "crescent"],
)
def test_a_dark_side_does_not_shrink_a_ball(light):
    found = find(planet((420, 380), BALL, light=light))

    assert_same(found.disc, BALL, 2.0)


def test_stars_are_not_the_body():
    picture = planet((420, 380), BALL)
    random = np.random.default_rng(3)
    pixels = np.array(picture)
    pixels[random.integers(0, 380, 300), random.integers(0, 420, 300)] = 255

    assert_same(find(Image.fromarray(pixels)).disc, BALL, 0.5)


def test_a_caption_beside_the_body_changes_nothing():
    picture = captioned(planet((420, 380), BALL), (4, 340, 150, 372))

    found = find(picture)

    assert_same(found.disc, BALL, 0.4)
    assert not found.covered


@pytest.mark.parametrize("box", [(150, 45, 270, 70), (290, 100, 380, 130)], ids=["top", "side"])
def test_a_caption_across_the_limb_is_seen_and_does_not_pull(box):
    found = find(captioned(planet((420, 380), BALL), box))

    assert_same(found.disc, BALL, 1.0)
    assert found.covered


def test_a_glow_all_around_is_no_caption():
    x, y = grid(420, 380)
    glow = 90 * np.exp(-np.maximum(BALL.distance(x, y), 0) / 8)
    picture = Image.fromarray(
        np.maximum(np.array(planet((420, 380), BALL)), glow[..., None]).astype(np.uint8)
    )

    assert not find(picture).covered


def _rectangle(width: int, height: int) -> Image.Image:
    picture = Image.new("RGB", (400, 300))
    picture.paste((180, 180, 180), (60, 40, 60 + width, 40 + height))
    return picture


def _triangle() -> Image.Image:
    picture = Image.new("RGB", (400, 300))
    ImageDraw.Draw(picture).polygon([(60, 250), (350, 270), (200, 30)], fill=(200, 190, 180))
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGB", (300, 300)),
        Image.new("RGB", (300, 300), (128, 128, 128)),
        Image.new("RGB", (1, 1), (9, 9, 9)),
        Image.new("RGB", (2000, 3), (200, 9, 9)),
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)),
        _rectangle(280, 60),
        _rectangle(200, 200),
        _rectangle(240, 170),
        _triangle(),
    ],
    ids=["black", "grey", "a pixel", "a line", "noise", "bar", "square", "rectangle", "triangle"],
)
def test_what_is_no_body_is_not_taken_for_one(picture):
    found = find(picture)

    assert found.disc is None or not found.disc.sure


def test_a_round_body_is_preferred_to_something_larger():
    picture = planet((700, 380), BALL)
    picture.paste((190, 190, 190), (400, 20, 690, 360))

    found = find(picture)

    assert_same(found.disc, BALL, 0.5)
    assert found.disc.sure


@pytest.mark.parametrize("world", ["ceres", "earth", "haumea", "mercury", "moon", "pluto", "sun", "venus"])
@pytest.mark.parametrize("number", [5, 40, 78])
def test_real_pictures(world, number):
    picture = REAL / world / f"{number:03}.jpg"
    if not picture.exists():
        pytest.skip("the planets' pictures are not at hand (../shared/data)")
    with Image.open(picture) as opened:
        image = opened.convert("RGB")

    found = find(image)

    assert found.disc is not None
    assert found.disc.sure
    assert not found.covered
    # Another way to measure: the rows and columns in which something clearly brighter than space lies.
    bright = np.asarray(image).max(axis=2) > 24
    for lines, low, high in zip((bright.any(axis=0), bright.any(axis=1)), *_box(found.disc), strict=True):
        at = np.flatnonzero(lines)
        assert (at[0], at[-1] + 1) == pytest.approx((low, high), abs=3)


def _box(disc: Disc) -> tuple[list[float], list[float]]:
    x, y, _, _ = disc.outline(720)
    return [x.min(), y.min()], [x.max(), y.max()]


def test_a_real_caption():
    if not (REAL / "venus/020.jpg").exists():
        pytest.skip("the planets' pictures are not at hand (../shared/data)")
    with Image.open(REAL / "venus/020.jpg") as opened:
        found = find(opened.convert("RGB"))

    assert found.covered
    assert found.disc is not None
    assert (found.disc.major, found.disc.minor) == pytest.approx((242, 242), abs=1)


def test_the_background_is_the_border_s_and_its_noise_sets_the_threshold():
    quiet = Image.new("RGB", (100, 100), (20, 30, 40))
    quiet.paste((20, 30, 140), (40, 40, 60, 60))
    signal, threshold = find_disc.stand_out(quiet)
    assert (signal[50, 50], signal[0, 0]) == (100, 0)
    assert threshold == find_disc.LEAST_SIGNAL
    grain = np.random.default_rng(0).normal(60, 8, (100, 100, 3)).clip(0, 255)
    _, above = find_disc.stand_out(Image.fromarray(grain.astype(np.uint8)))
    assert above > 2 * find_disc.LEAST_SIGNAL


def test_what_was_seen_is_told_though_it_is_no_body():
    found = find(_rectangle(280, 60))
    assert found.seen == pytest.approx((60, 40, 340, 100), abs=2)
    assert find(Image.new("RGB", (300, 300))) == find_disc.Found(None, None)


@pytest.mark.parametrize(
    ("flags", "part"),
    [("." * 100, 0.0), ("x" * 100, 1.0), ("x" * 30 + "." * 70, 0.3), ("x" * 10 + "." * 80 + "x" * 10, 0.2),
     ("x" * 20 + "." * 5 + "x" * 20 + "." * 55, 0.45)],
    ids=["none", "all", "one", "over-the-seam", "small-gap"],
)  # fmt: skip
def test_the_longest_run_goes_round_and_over_small_gaps(flags, part):
    around = np.array([flag == "x" for flag in flags])
    assert find_disc._longest_run(around) == pytest.approx(part)


def test_the_outer_edge_is_one_pixel_a_direction():
    mask = BALL.coverage(420, 380) > 0.5
    x, y = find_disc._outer_edge(mask)
    assert len(x) == 360
    assert np.abs(BALL.distance(x, y)).max() < 1.5
