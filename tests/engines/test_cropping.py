"""Which part of a picture is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.cropping import largest, placed

SIDES = st.integers(1, 20_000)


@given(SIDES, SIDES, st.floats(0.05, 20.0))
def test_what_is_kept_is_within_the_picture_and_touches_two_of_its_sides(width, height, aspect):
    kept = largest((width, height), aspect)
    assert 1 <= kept[0] <= width
    assert 1 <= kept[1] <= height
    assert kept[0] == width or kept[1] == height
    # of that aspect, within half a pixel of the side that was cut
    exact = height * aspect if kept[1] == height and kept[0] < width else width / aspect
    cut = kept[0] if kept[1] == height and kept[0] < width else kept[1]
    assert abs(cut - exact) <= 0.5 or cut in (1, height)


@given(SIDES, SIDES, st.floats(0.05, 20.0), st.floats(0, 1), st.floats(0, 1))
def test_it_is_placed_within(width, height, aspect, across, down):
    kept = largest((width, height), aspect)
    left, top, right, bottom = placed((width, height), kept, (across, down))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert (right - left, bottom - top) == kept


@pytest.mark.parametrize(("anchor", "left"), [(0.0, 0), (0.5, 50), (1.0, 100)])
def test_an_anchor_is_from_side_to_side(anchor, left):
    assert placed((200, 100), (100, 100), (anchor, 0.5)) == (left, 0, left + 100, 100)
