"""From what a net drew to pictures: sizes, edges, sheets."""

from __future__ import annotations

import numpy as np
import pytest

from engines.planets.pictures import picture, resized


def disc(side: int, radius: float = 0.4, colour: tuple[float, float, float] = (0.9, 0.5, 0.2)) -> np.ndarray:
    """An antialiased disc, premultiplied."""
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    alpha = np.clip(radius * side - np.hypot(x, y) + 0.5, 0, 1)[..., None]
    return np.concatenate([np.asarray(colour) * alpha, alpha], axis=-1).astype(np.float32)


@pytest.mark.parametrize("size", [64, 65, 100, 128, 129, 333, 512])
def test_the_edge_is_as_sharp_at_every_size(size):
    # when
    scaled = resized(disc(128), size)
    # then: along the middle row the edge passes from nothing to all within three pixels
    assert scaled.shape == (size, size, 4)
    row = scaled[size // 2, : size // 2, 3]
    assert np.count_nonzero((row > 0.02) & (row < 0.98)) <= 3
    assert abs(scaled[..., 3].mean() - disc(size)[..., 3].mean()) < 0.005


@pytest.mark.parametrize("size", [64, 128, 200, 512])
def test_no_fringe_around_the_disc(size):
    """The straight colour of every pixel that is to be seen is the disc's own."""
    image = np.asarray(picture(resized(disc(128), size), transparent=True)).astype(float)
    seen = image[..., 3] > 8
    assert np.abs(image[seen][:, :3] - np.array([0.9, 0.5, 0.2]) * 255).max() < 12
    assert (image[~seen][:, 3] < 9).all()


def test_on_black_nothing_is_left_outside():
    image = np.asarray(picture(resized(disc(128), 300), transparent=False))
    assert image[:20].max() == 0
    assert picture(disc(64), transparent=False).mode == "RGB"


def test_values_at_the_ends_do_not_wrap():
    hard = np.zeros((64, 64, 4), np.float32)
    hard[16:48, 16:48] = 1.0  # Lanczos overshoots here
    for size in (64, 100, 512):
        image = np.asarray(picture(resized(hard, size), transparent=True))
        centre = image[size // 2 - 4 : size // 2 + 4, size // 2 - 4 : size // 2 + 4]
        assert (centre == 255).all()
