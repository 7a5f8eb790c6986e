"""Where most is to be seen."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from engines.convert.focus import busiest
from engines.cropping import placed


def busy_at(left: int, top: int, size: tuple[int, int]) -> Image.Image:
    """Grey with a noisy square of 40 pixels."""
    picture = Image.new("RGB", size, (90, 90, 90))
    noise = np.random.default_rng(3).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    picture.paste(Image.fromarray(noise).resize((40, 40), Image.Resampling.NEAREST), (left, top))
    return picture


@pytest.mark.parametrize("at", [0, 60, 130, 260])
@pytest.mark.parametrize("upright", [False, True])
def test_the_busy_part_is_kept(at, upright):
    size = (100, 300) if upright else (300, 100)
    picture = busy_at(30, at, size) if upright else busy_at(at, 30, size)
    left, top, right, bottom = placed(size, (100, 100), busiest(picture, (100, 100)))
    begin, end = (top, bottom) if upright else (left, right)
    assert begin <= at + 4
    assert end >= at + 36


@pytest.mark.parametrize("size", [(300, 100), (100, 300), (1, 1), (20_000, 3), (97, 96)])
def test_where_nothing_is_to_be_seen_the_middle_is_kept(size):
    side = min(size)
    across, down = busiest(Image.new("RGB", size, (7, 7, 7)), (side, side))
    # within a pixel of what is looked at
    pixel = max(1, max(size) / 96)
    assert abs(across - 0.5) * (size[0] - side) <= pixel
    assert abs(down - 0.5) * (size[1] - side) <= pixel


def test_of_two_alike_the_one_nearer_to_the_middle_is_kept():
    picture = busy_at(0, 30, (400, 100))
    picture.paste(picture.crop((0, 30, 40, 70)), (200, 30))
    left, _, right, _ = placed((400, 100), (60, 100), busiest(picture, (60, 100)))
    assert left <= 204
    assert right >= 236


def test_both_ways_at_once():
    anchor = busiest(busy_at(240, 240, (300, 300)), (60, 60))
    assert min(anchor) > 0.8
