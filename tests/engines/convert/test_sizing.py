"""How large a picture becomes, whatever is asked for."""

from __future__ import annotations

from contextlib import suppress
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.base import BadInput
from engines.convert.sizing import MAX_PIXELS, MAX_SIDE, Fit, Plan, Wanted, planned

SIDES = st.integers(1, 5000)
WANTED = st.builds(
    Wanted,
    width=st.none() | SIDES,
    height=st.none() | SIDES,
    crop=st.none() | st.floats(0.05, 20),
    fit=st.sampled_from(get_args(Fit)),
    enlarge=st.booleans(),
)


@given(SIDES, SIDES, WANTED)
def test_a_plan_is_sound(width, height, wanted):
    with suppress(BadInput):
        assert_sound(planned((width, height), wanted), wanted, (width, height))


def assert_sound(plan: Plan, wanted: Wanted, size: tuple[int, int]) -> None:
    width, height = size
    assert plan.kept[0] <= width
    assert plan.kept[1] <= height
    assert min(*plan.kept, *plan.scaled, *plan.whole) >= 1
    assert plan.scaled[0] <= plan.whole[0]
    assert plan.scaled[1] <= plan.whole[1]
    assert max(plan.whole) <= MAX_SIDE
    assert plan.whole[0] * plan.whole[1] <= MAX_PIXELS
    if not wanted.enlarge:
        assert plan.scaled[0] <= plan.kept[0]
        assert plan.scaled[1] <= plan.kept[1]
    if wanted.width and wanted.height:
        assert plan.whole[0] <= wanted.width
        assert plan.whole[1] <= wanted.height
        if wanted.fit == "contain":
            assert plan.whole == (wanted.width, wanted.height)
        if wanted.fit in ("cover", "stretch") and wanted.enlarge:
            assert plan.scaled == (wanted.width, wanted.height)


@pytest.mark.parametrize(
    ("wanted", "plan"),
    [
        (Wanted(), Plan((400, 300), (400, 300), (400, 300))),
        (Wanted(width=200), Plan((400, 300), (200, 150), (200, 150))),
        (Wanted(height=100), Plan((400, 300), (133, 100), (133, 100))),
        (Wanted(width=800), Plan((400, 300), (400, 300), (400, 300))),
        (Wanted(width=800, enlarge=True), Plan((400, 300), (800, 600), (800, 600))),
        (Wanted(scale=0.5), Plan((400, 300), (200, 150), (200, 150))),
        (Wanted(scale=2), Plan((400, 300), (800, 600), (800, 600))),
        (Wanted(scale=0.01), Plan((400, 300), (4, 3), (4, 3))),
        (Wanted(crop=1.0), Plan((300, 300), (300, 300), (300, 300))),
        (Wanted(crop=1.0, width=100), Plan((300, 300), (100, 100), (100, 100))),
        (Wanted(width=100, height=100), Plan((400, 300), (100, 75), (100, 75))),
        (Wanted(width=100, height=100, fit="cover"), Plan((300, 300), (100, 100), (100, 100))),
        (Wanted(width=100, height=100, fit="contain"), Plan((400, 300), (100, 75), (100, 100))),
        (Wanted(width=100, height=100, fit="stretch"), Plan((400, 300), (100, 100), (100, 100))),
        # a picture that is too small keeps its size: cover the shape, contain the frame
        (Wanted(width=800, height=800, fit="cover"), Plan((300, 300), (300, 300), (300, 300))),
        (Wanted(width=800, height=800, fit="contain"), Plan((400, 300), (400, 300), (800, 800))),
        (Wanted(width=800, height=200, fit="stretch"), Plan((400, 300), (400, 200), (400, 200))),
        (Wanted(width=800, height=800, fit="cover", enlarge=True), Plan((300, 300), (800, 800), (800, 800))),
        (Wanted(crop=1.0, width=300, height=100, fit="cover"), Plan((300, 100), (300, 100), (300, 100))),
    ],
    ids=[str(number) for number in range(19)],
)
def test_of_400_by_300(wanted, plan):
    assert planned((400, 300), wanted) == plan


@pytest.mark.parametrize(
    ("size", "wanted", "field"),
    [
        ((20_000, 10), Wanted(scale=8), "scale"),
        ((8000, 8000), Wanted(scale=1.1), "scale"),
        ((10, 20_000), Wanted(width=16_000, enlarge=True), "width"),
        ((20_000, 10), Wanted(height=16_000, enlarge=True), "height"),
        ((10, 10), Wanted(width=16_000, height=16_000, fit="contain"), "width"),
    ],
    ids=["long", "large", "upright", "flat", "frame"],
)
def test_what_is_too_large_is_refused_beside_its_field(size, wanted, field):
    with pytest.raises(BadInput, match="megapixels") as caught:
        planned(size, wanted)
    assert caught.value.field == field
