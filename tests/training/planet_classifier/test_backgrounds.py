"""What lies behind things: each kind is what its name says, within bounds."""

from __future__ import annotations

import pytest
import torch

from engines.planet_classifier.model import SIDE
from training.planet_classifier import backgrounds as kinds
from training.planet_classifier.backgrounds import backgrounds
from training.planet_classifier.views import Pyramid

torch.set_num_threads(1)


def draw(seed=1):
    return torch.Generator().manual_seed(seed)


def test_backgrounds_are_black_without_odds_and_varied_with():
    frames = Pyramid(torch.randint(0, 256, (4, 4, 128, 128), generator=draw(), dtype=torch.uint8))

    assert backgrounds(8, 0.0, frames, draw()).max() == 0.0
    made = backgrounds(48, 1.0, frames, draw())
    assert made.shape == (48, 3, SIDE, SIDE)
    assert made.min() >= 0.0
    assert made.max() <= 1.0
    assert (made.amax((1, 2, 3)) > 0.05).float().mean() > 0.8


def test_half_the_odds_are_half_the_backgrounds():
    frames = Pyramid(torch.full((1, 4, 128, 128), 200, dtype=torch.uint8))
    made = backgrounds(200, 0.5, frames, draw())
    assert (made.amax((1, 2, 3)) > 0).float().mean().item() == pytest.approx(0.5, abs=0.12)


def test_none_are_made_for_none():
    frames = Pyramid(torch.zeros(1, 4, 128, 128, dtype=torch.uint8))
    assert backgrounds(0, 1.0, frames, draw()).shape == (0, 3, SIDE, SIDE)


@pytest.mark.parametrize("make", [kinds.stars, kinds.gradients, kinds.flat, kinds.noise, kinds.nebulae])
def test_each_kind_is_within_bounds_and_the_same_for_a_draw(make):
    once, again, other = make(6, draw(3)), make(6, draw(3)), make(6, draw(4))
    assert once.shape == (6, 3, SIDE, SIDE)
    assert once.min() >= 0.0
    assert once.max() <= 1.0
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert len({one.numpy().tobytes() for one in once}) > 2


def test_stars_are_few_and_the_sky_is_dark():
    sky = kinds.stars(16, draw())
    assert sky.mean() < 0.15
    assert (sky.amax(1) > 0.3).float().mean() < 0.05
    assert (sky.amax((1, 2, 3)) > 0.5).all()


def test_a_gradient_is_straight_between_its_corners():
    made = kinds.gradients(4, draw())
    corners = made[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].mean(2)
    assert torch.allclose(made.mean((2, 3)), corners, atol=1e-5)
    steps = made.diff(dim=3)
    assert torch.allclose(steps, steps[..., :1].expand_as(steps), atol=1e-5)


def test_one_colour_is_one_and_often_grey_or_white():
    made = kinds.flat(400, draw())
    assert torch.equal(made, made[:, :, :1, :1].expand_as(made))
    colours = made[:, :, 0, 0]
    assert (colours == 1.0).all(1).float().mean().item() == pytest.approx(0.25, abs=0.07)
    grey = (colours[:, 0] == colours[:, 1]) & (colours[:, 1] == colours[:, 2])
    assert grey.float().mean().item() == pytest.approx(0.25 + 0.75 * 0.33, abs=0.07)


def test_pieces_are_of_the_frames_and_of_nothing_else():
    pixels = torch.zeros(2, 4, 128, 128, dtype=torch.uint8)
    pixels[0, 0], pixels[1, 2], pixels[:, 3] = 255, 255, 255
    made = kinds.pieces(20, Pyramid(pixels), draw())[:, :, 4:-4, 4:-4]
    assert made[:, 1].max() == 0
    red, blue = made[:, 0].mean((1, 2)), made[:, 2].mean((1, 2))
    assert torch.allclose(red + blue, torch.ones(20), atol=0.02)
    assert {round(value) for value in red.tolist()} == {0, 1}
