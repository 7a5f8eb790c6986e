"""Ways through a latent space."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engines.interpolation import linear, spherical, steps

POINTS = arrays(np.float32, 5, elements=st.floats(-100, 100, width=32))


@given(st.integers(1, 6), st.integers(1, 9), st.booleans())
def test_a_loop_visits_every_stop_and_ends_before_its_beginning(stops, frames, smooth):
    found = list(steps(stops, frames, loop=True, smooth=smooth))
    assert len(found) == stops * frames
    assert [a for a, _, t in found if t == 0.0] == list(range(stops))
    assert found[-1][1] == 0


@given(st.integers(1, 6), st.integers(1, 9), st.booleans())
def test_what_is_no_loop_ends_on_its_last_stop(stops, frames, smooth):
    found = list(steps(stops, frames, loop=False, smooth=smooth))
    assert len(found) == (stops - 1) * frames + 1
    assert found[-1] == (stops - 1, stops - 1, 0.0)
    assert all(0.0 <= t < 1.0 for _, _, t in found)


def test_smooth_ways_are_slow_at_their_stops():
    times = [t for _, _, t in steps(2, 10, loop=False, smooth=True)][:10]
    moves = np.diff([*times, 1.0])
    assert moves[0] < moves[4]
    assert moves[-1] < moves[4]


@given(POINTS, POINTS)
@pytest.mark.parametrize("way", [linear, spherical])
def test_a_way_begins_and_ends_at_its_points(way, a, b):
    assert way(a, b, 0.0) == pytest.approx(a, abs=1e-2)
    assert way(a, b, 1.0) == pytest.approx(b, abs=1e-2)
    assert np.isfinite(way(a, b, 0.37)).all()


def test_an_arc_keeps_the_length_that_a_line_loses():
    a, b = np.float32([3, 0]), np.float32([0, 3])
    assert np.linalg.norm(spherical(a, b, 0.5)) == pytest.approx(3.0)
    assert np.linalg.norm(linear(a, b, 0.5)) == pytest.approx(3 / 2**0.5)


@pytest.mark.parametrize("b", [[0, 0], [1, 0], [-1, 0], [2, 0]])
def test_points_without_one_arc_between_them(b):
    assert np.isfinite(spherical(np.float32([1, 0]), np.float32(b), 0.5)).all()
