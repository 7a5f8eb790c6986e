"""Which pictures are the same or blurred, by a look at the disc alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tests.training.planets.preparing.bodies import captioned, planet
from training.planets.preparing import screening
from training.planets.preparing.disc import Disc
from training.planets.preparing.screening import difference, look, may_be_same, thumbnail

BODY = Disc(150.4, 110.2, 80.3, 80.3, 0.0)


def thumb(seed: int = 0, disc: Disc = BODY, **more: object) -> Image.Image:
    return thumbnail(planet((300, 220), disc, seed=seed, **more), disc)


def test_a_thumbnail_is_the_disc_and_a_little_around_it():
    small = thumb()
    assert (small.size, small.mode) == ((256, 256), "RGBA")
    alpha = np.asarray(small.getchannel("A"))
    assert (alpha.any(axis=0).sum(), alpha.any(axis=1).sum()) == pytest.approx((256 / 1.05,) * 2, abs=2)


def test_neither_place_nor_caption_changes_it():
    moved = BODY.moved(20, -15)
    picture = planet((300, 220), BODY)
    elsewhere = Image.new("RGB", (300, 220))
    elsewhere.paste(picture, (20, -15))
    assert difference(thumbnail(picture, BODY), thumbnail(elsewhere, moved)) < 0.05
    assert difference(thumbnail(captioned(picture, (4, 196, 120, 214)), BODY), thumbnail(picture, BODY)) == 0


def test_other_ground_differs_and_other_light_does_not():
    assert difference(thumb(0), thumb(0)) == 0
    assert difference(thumb(0), thumb(1)) > 3
    darker = thumb(0, colour=(160, 120, 88))
    assert difference(thumb(0), darker) < 0.6
    assert difference(thumb(0), thumb(0, colour=(200, 150, 150))) < 2  # colour counts by its grey


def test_dark_ones_are_compared_as_if_they_were_brighter():
    dark = [thumb(seed, colour=(20, 15, 11)) for seed in (0, 1)]
    plain = np.asarray(dark[0], float)[..., :3].mean() - np.asarray(dark[1], float)[..., :3].mean()
    assert difference(*dark) > 2 > abs(plain)


def test_another_outline_is_another_picture():
    assert difference(thumb(), thumb(disc=Disc(150, 110, 80, 50, 0.3))) == float("inf")


def test_a_blurred_picture_is_less_sharp_whatever_its_brightness():
    picture = planet((300, 220), BODY)
    sharp = look(thumbnail(picture, BODY)).sharpness
    blurred = look(thumbnail(picture.filter(ImageFilter.GaussianBlur(3)), BODY)).sharpness
    assert blurred < 0.1 * sharp
    darker = look(thumb(colour=(100, 75, 55))).sharpness
    assert darker == pytest.approx(sharp, rel=0.25)
    assert look(Image.new("RGBA", (256, 256))).sharpness == 0.0
    assert look(Image.new("RGBA", (256, 256), (90, 90, 90, 255))).sharpness == 0.0


def test_cells_are_means_of_grey_row_by_row():
    halves = Image.new("RGBA", (256, 256), (0, 0, 0, 255))
    halves.paste((100, 100, 100, 255), (0, 0, 256, 64))
    cells = look(halves).cells
    assert cells == (100.0,) * 16 + (0.0,) * 48


def test_what_the_cells_tell_apart_need_not_be_compared():
    looks = np.array([look(thumb(seed)).cells for seed in range(6)])
    for index in range(6):
        near = may_be_same(looks, looks[index], 0.6)
        assert near[index]
        for other in np.flatnonzero(~near):
            assert difference(thumb(int(other)), thumb(index)) >= 0.6
    assert may_be_same(looks[:0], looks[0], 0.6).shape == (0,)
    assert not may_be_same(looks, looks[0], 0.6).all()


def test_the_inner_part_leaves_the_limb_out():
    solid = np.asarray(thumb().getchannel("A")) == 255
    inner = screening._inner(solid)
    assert inner.sum() == pytest.approx(0.81 * solid.sum(), rel=0.03)
    assert not (inner & ~solid).any()
