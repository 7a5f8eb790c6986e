"""Views are the picture where nothing is changed, and each kind of change does what its name says."""

from __future__ import annotations

import pytest
import torch

from engines.planet_classifier.model import SIDE
from training.planet_classifier import views
from training.planet_classifier.views import Odds, Pyramid, kinds

torch.set_num_threads(1)


def draw(seed=1):
    return torch.Generator().manual_seed(seed)


def discs(count=4, side=128, radius=0.9):
    """Opaque grey discs in the middle, (N, 4, S, S) uint8."""
    axis = (torch.arange(side) + 0.5) / side * 2.0 - 1.0
    inside = (axis[:, None].square() + axis.square() < radius**2).float()
    rgb = inside * 0.6 * 255.0
    return torch.stack([rgb, rgb, rgb, inside * 255.0]).expand(count, 4, side, side).to(torch.uint8)


def mean_place(alpha):
    """Middle of what is opaque, (x, y) from -1 to 1."""
    axis = (torch.arange(alpha.shape[-1]) + 0.5) / alpha.shape[-1] * 2.0 - 1.0
    return (alpha.sum(0) @ axis / alpha.sum()).item(), (alpha.sum(1) @ axis / alpha.sum()).item()


def test_without_changes_a_view_is_the_picture():
    pixels = torch.randint(0, 256, (2, 4, 96, 96), generator=draw(), dtype=torch.uint8)
    where = views.place(2, Odds(), draw())

    seen = Pyramid(pixels).sample(torch.tensor([1, 0]), where.grid, where.scales)

    assert torch.allclose(seen, pixels[[1, 0]].float() / 255.0, atol=1e-4)


def test_a_pyramid_knows_how_far_things_reach():
    assert Pyramid(discs(radius=0.5)).extents[0].tolist() == pytest.approx([0.5, 0.5], abs=0.02)


def test_scaled_things_are_smaller_and_do_not_alias():
    pyramid = Pyramid(discs(32))
    where = views.place(32, Odds(scale=1.0), draw())

    alpha = pyramid.sample(torch.arange(32), where.grid, where.scales)[:, 3]

    shares = alpha.mean((1, 2))
    expected = torch.pi / 4.0 * 0.81 * where.scales.square()
    kept = where.scales < 1.0
    assert torch.allclose(shares[kept], expected[kept], rtol=0.05)
    assert where.scales.min() < 0.5


def test_shifted_and_cropped_things_are_elsewhere():
    pyramid = Pyramid(discs(16))
    for odds in (Odds(scale=1.0, shift=1.0), Odds(crop=1.0)):
        where = views.place(16, odds, draw())
        alpha = pyramid.sample(torch.arange(16), where.grid, where.scales)[:, 3]
        places = torch.tensor([mean_place(one) for one in alpha])
        assert places.abs().max() > 0.1
        assert alpha.mean((1, 2)).min() > 0.03  # never out of sight


def test_things_go_where_they_are_put():
    """The shift of a placement is that of the view: right is right, down is down."""
    scales, zero, one = torch.tensor([0.5]), torch.zeros(1), torch.ones(1)
    grid = views._grid(scales, torch.tensor([[0.3, -0.4]]), zero, one, one)

    alpha = Pyramid(discs(1)).sample(torch.tensor([0]), grid, scales)[0, 3]

    assert mean_place(alpha) == pytest.approx((0.3, -0.4), abs=0.02)


def test_filling_views_have_no_gap():
    pyramid = Pyramid(torch.full((8, 4, 128, 128), 255, dtype=torch.uint8))
    where = views.place_filling(8, draw())

    seen = pyramid.sample(torch.arange(8), where.grid, where.scales)

    assert seen[:, :, 2:-2, 2:-2].min() > 0.99


def test_a_phase_darkens_one_side_of_the_ball_only():
    pyramid = Pyramid(discs(32))
    where = views.place(32, Odds(), draw())
    whole = pyramid.sample(torch.arange(32), where.grid, where.scales)

    lit = views.shade(whole, where.grid, pyramid.extents, 1.0, draw())

    assert torch.equal(lit[:, 3], whole[:, 3])
    assert (lit[:, :3] <= whole[:, 3:] + 1e-6).all()  # still premultiplied
    column = lit[:, 0, SIDE // 2, SIDE // 8 : -SIDE // 8]
    rows = lit[:, 0, SIDE // 8 : -SIDE // 8, SIDE // 2]
    contrast = torch.maximum(column.amax(1) - column.amin(1), rows.amax(1) - rows.amin(1))
    assert (contrast > 0.1).float().mean() > 0.8


def test_no_odds_no_change():
    rgb = torch.rand(4, 3, SIDE, SIDE, generator=draw())

    assert torch.allclose(views.develop(rgb, Odds(), draw()), rgb, atol=1e-3)


@pytest.mark.parametrize("kind", ["bars", "colour", "grey", "blur", "noise", "jpeg"])
def test_each_kind_changes_the_picture_within_bounds(kind):
    rgb = torch.rand(8, 3, SIDE, SIDE, generator=draw())

    changed = views.develop(rgb, kinds()[kind], draw())

    assert changed.shape == rgb.shape
    assert changed.min() >= 0.0
    assert changed.max() <= 1.0
    assert ((changed - rgb).abs().amax((1, 2, 3)) > 0.01).float().mean() >= 0.75


def test_grey_is_grey_and_bars_are_black():
    rgb = torch.rand(8, 3, SIDE, SIDE, generator=draw()) * 0.5 + 0.5

    grey = views.develop(rgb, Odds(grey=1.0), draw())
    barred = views.develop(rgb, Odds(bars=1.0), draw())

    assert torch.allclose(grey[:, 0], grey[:, 2], atol=1e-4)
    edges = torch.minimum(barred[:, :, 0].amax((1, 2)), barred[:, :, :, 0].amax((1, 2)))
    assert (edges == 0.0).float().mean() > 0.8


def test_blur_keeps_the_mean_and_lowers_the_contrast():
    rgb = torch.rand(4, 3, SIDE, SIDE, generator=draw())

    blurred = views.develop(rgb, Odds(blur=1.0), draw())

    assert torch.allclose(blurred.mean((2, 3)), rgb.mean((2, 3)), atol=0.01)
    assert (blurred.std((2, 3)) < rgb.std((2, 3))).all()


def test_the_same_draw_gives_the_same_view():
    rgb = torch.rand(6, 3, SIDE, SIDE, generator=draw())

    once, again = (views.develop(rgb, views.TRAINING, draw(9)) for _ in range(2))

    assert torch.equal(once, again)
