"""A disc as a shape: its distance, its mask, what several agree on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.training.planets.preparing.bodies import BALL, EGG
from training.planets.preparing.disc import Disc, consensus


def test_coverage_sums_to_the_area_and_is_smooth():
    alpha = EGG.coverage(420, 380)

    assert alpha.sum() == pytest.approx(math.pi * EGG.major * EGG.minor, rel=1e-3)
    assert alpha.min() == 0
    assert alpha.max() == 1
    soft = ((alpha > 0) & (alpha < 1)).sum()
    circumference = math.pi * (3 * (EGG.major + EGG.minor) / 2 - math.sqrt(EGG.major * EGG.minor))
    assert 0.7 * circumference < soft < 2 * circumference


def test_consensus_is_the_middle_of_the_sure():
    discs = [Disc(100 + i * 0.1, 90, 80, 80, 0.0) for i in range(5)]

    agreed = consensus([*discs, None, Disc(10, 10, 20, 20, 0.0, sure=False)])

    assert agreed is not None
    assert (agreed.x, agreed.y, agreed.major) == pytest.approx((100.2, 90, 80))
    assert consensus(discs[:2]) is None
    assert consensus([Disc(100 + 30 * i, 90, 80, 80, 0.0) for i in range(5)]) is None


@pytest.mark.parametrize("disc", [BALL, EGG], ids=["ball", "egg"])
def test_an_outline_is_at_no_distance_and_its_normals_lead_out(disc):
    x, y, nx, ny = disc.outline(90)
    assert np.abs(disc.distance(x, y)).max() < 1e-9
    assert np.allclose(np.hypot(nx, ny), 1)
    assert disc.distance(x + nx, y + ny) == pytest.approx(np.ones(90), abs=0.02)
    assert disc.distance(x - nx, y - ny) == pytest.approx(-np.ones(90), abs=0.02)


def test_points_near_the_rim_are_drawn_in_and_deep_ones_stay():
    x, y, nx, ny = EGG.outline(90)
    for off in (-1.0, 0.0, 5.0):
        inner_x, inner_y = EGG.inside(x + off * nx, y + off * ny, 4.0)
        assert EGG.distance(inner_x, inner_y) == pytest.approx(-4 * np.ones(90), abs=0.3)
    deep_x, deep_y = EGG.inside(np.array([EGG.x + 3]), np.array([EGG.y]), 4.0)
    assert (deep_x[0], deep_y[0]) == pytest.approx((EGG.x + 3, EGG.y))


def test_it_fits_where_its_box_does():
    disc = Disc(50, 40, 30, 20, 0.0)
    assert disc.fits(80, 60, slack=0)
    assert not disc.fits(79, 60, slack=0)
    assert disc.fits(79, 60, slack=1)
    assert not Disc(50, 40, 30, 20, math.pi / 2).fits(80, 60, slack=0)


def test_angles_on_either_side_of_upright_agree_on_upright():
    discs = [Disc(100, 90, 80, 50, sign * 1.5) for sign in (1, -1, 1, -1)]
    agreed = consensus(discs)
    assert agreed is not None
    assert abs(agreed.angle) == pytest.approx(math.pi / 2, abs=1e-6)
