"""Ellipses and circles through points, some of which are strays."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.planets.preparing.bodies import BALL, EGG, assert_same
from training.planets.preparing import fit_disc
from training.planets.preparing.disc import Disc


def test_the_fit_is_the_ellipse_through_its_points():
    x, y, _, _ = EGG.outline(40)

    found = fit_disc.ellipse(x, y)

    assert_same(found, EGG, 1e-6)


@pytest.mark.parametrize("angle", [-1.4, -0.6, 0.0, 0.3, 1.5])
def test_an_angle_is_that_of_the_long_axis_within_a_half_turn(angle):
    x, y, _, _ = Disc(200, 190, 150, 85, angle).outline(40)
    assert fit_disc.ellipse(x, y).angle == pytest.approx(angle, abs=1e-6)


def test_points_on_a_line_hold_nothing():
    t = np.arange(20.0)

    assert fit_disc.circle(t, 2 * t) is None
    assert fit_disc.ellipse(t, 2 * t) is None


def test_a_circle_through_an_arc_among_strays():
    x, y, _, _ = BALL.outline(200)
    random = np.random.default_rng(1)
    x[90:], y[90:] = 210 + random.uniform(-60, 60, 110), 170 + random.uniform(-60, 60, 110)

    found = fit_disc.circle_by_vote(x, y, 1.0, largest=1000)

    assert_same(found, BALL, 0.5)


def test_the_circle_through_its_points():
    x, y, _, _ = BALL.outline(7)
    assert_same(fit_disc.circle(x, y), BALL, 1e-6)


def test_too_few_points_hold_nothing():
    x, y, _, _ = EGG.outline(5)
    assert fit_disc.ellipse(x, y) is None
    assert fit_disc.circle(x[:2], y[:2]) is None
    assert fit_disc.circle_by_vote(x, y, 1.0, largest=1000) is None
    assert fit_disc.ellipse(np.full(9, 3.0), np.full(9, 4.0)) is None


def test_weights_say_which_points_count():
    x, y, _, _ = EGG.outline(40)
    x[:5] += 60
    weight = np.ones(40)
    weight[:5] = 0
    assert_same(fit_disc.ellipse(x, y, weight), EGG, 1e-6)
    assert np.abs(fit_disc.ellipse(x, y).distance(x[5:], y[5:])).max() > 1


@pytest.mark.parametrize(("drawn", "is_round"), [(BALL, True), (EGG, False)], ids=["ball", "egg"])
def test_a_caption_beside_the_outline_does_not_pull(drawn, is_round):
    x, y, nx, ny = drawn.outline(200)
    x[:30] += 6 * nx[:30]
    y[:30] += 6 * ny[:30]
    found = fit_disc.robust(x, y, 1.0, None, round_body=is_round)
    assert_same(found, drawn, 0.1)
    assert found.support == pytest.approx(170 / 200)


def test_support_is_the_part_of_the_points_that_are_near():
    x, y, nx, ny = BALL.outline(100)
    off = np.linspace(-2, 2, 100)
    found = fit_disc.with_support(BALL, x + off * nx, y + off * ny, 1.0)
    assert found.support == pytest.approx(0.5, abs=0.02)
    assert fit_disc.with_support(BALL, x[:0], y[:0], 1.0).support == 0.0


def test_no_larger_circle_is_voted_for_than_is_allowed():
    x, y, _, _ = BALL.outline(60)
    assert fit_disc.circle_by_vote(x, y, 1.0, largest=100) is None
