"""Pictures in other sizes: light adds up, alpha weighs, bands leave no seams."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from engines import resampling
from engines.resampling import resized


def checkers(side: int) -> Image.Image:
    """Black and white in turns."""
    levels = np.indices((side, side)).sum(axis=0) % 2 * 255
    return Image.fromarray(np.repeat(levels[..., None], 3, axis=2).astype(np.uint8))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_half_of_the_light_is_half_of_the_light(mode):
    small = np.asarray(resized(checkers(64).convert(mode), (8, 8)))
    # 188 is half as bright as 255; the mean of what is stored would be 128
    assert np.abs(small[2:-2, 2:-2, :3].astype(int) - 188).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (50, 40), (99, 3), (100, 80), (230, 170)])
@pytest.mark.parametrize("colour", [(0, 1, 2), (3, 128, 250), (255, 254, 253)])
def test_one_colour_stays_that_colour(size, colour):
    plain = resized(Image.new("RGB", (100, 80), colour), size)
    assert plain.size == size
    assert plain.getcolors() == [(size[0] * size[1], colour)]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_bands_leave_no_seams(monkeypatch, mode):
    # given: noise, a region of it, and sizes that no band divides
    noise = np.random.default_rng(7).integers(0, 256, (301, 207, 4), dtype=np.uint8)
    picture = Image.fromarray(noise).convert(mode)
    made = []
    for pixels in (10**9, 5_000, 1):
        monkeypatch.setattr(resampling, "_BAND", pixels)
        made.append(resized(picture, (57, 44), (3, 5, 200, 290)).tobytes())
    assert made[0] == made[1] == made[2]


def test_a_region_sees_nothing_of_what_is_around_it():
    picture = Image.new("RGB", (60, 60), "red")
    picture.paste((0, 0, 255), (20, 20, 40, 40))
    for size in ((7, 7), (20, 20), (45, 45)):
        assert resized(picture, size, (20, 20, 40, 40)).getcolors() == [(size[0] * size[1], (0, 0, 255))]


@pytest.mark.parametrize("size", [(8, 8), (128, 128)])
def test_colours_that_cannot_be_seen_do_not_bleed(size):
    # given: opaque red beside green that is transparent
    picture = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 32, 64))
    # when
    levels = np.asarray(resized(picture, size)).astype(int)
    # then
    seen = levels[levels[..., 3] > 8]
    assert (seen[:, 1] <= 1).all()
    assert levels[0, 0, 3] == 255
    assert levels[0, -1, 3] == 0


def test_the_same_size_is_the_same_picture():
    picture = checkers(8)
    assert resized(picture, (8, 8)) is picture
    assert resized(picture, (4, 4), (1, 1, 5, 5)).tobytes() == picture.crop((1, 1, 5, 5)).tobytes()
