"""A handful of numbers worth a button."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.presets import MOST, presets


@pytest.mark.parametrize(
    ("bounds", "whole", "wanted"),
    [
        ((0.0, 1.0, 0.5), False, (0.25, 0.5, 0.75, 1.0)),  # strength
        ((0.0, 1.5, 1.0), False, (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)),
        ((0.5, 2.0, 1.0), False, (0.5, 1.0, 2.0)),  # stroke
        ((1, 64, 1), True, (1, 4, 9, 16)),  # count
        ((64, 512, 128), True, (64, 128, 256, 512)),  # size
        ((64, 2048, 768), True, (128, 256, 512, 768, 1024, 2048)),
        ((1, 7200, 48), True, (12, 24, 48, 96, 192)),  # frames
        ((0, 3, 0), True, (0, 1, 2, 3)),
        ((5, 5, None), True, (5,)),
        ((0, 2**63 - 1, None), True, ()),  # a seed
        ((None, None, 24), True, (6, 12, 24, 48, 96)),
        ((None, None, None), False, ()),
    ],
)
def test_presets(bounds, whole, wanted):
    assert presets(*bounds, whole=whole) == wanted


@given(st.data(), st.booleans())
def test_presets_are_few_ascending_and_within_bounds(data, whole):
    number = st.integers(-(10**6), 10**6) if whole else st.floats(-1e6, 1e6, width=32)
    low, high = sorted([data.draw(number) + 0, data.draw(number) + 0])  # no -0.0
    default = data.draw(st.none() | (st.integers(low, high) if whole else st.floats(low, high)))
    found = presets(low, high, default, whole=whole)
    assert len(found) <= MOST
    assert list(found) == sorted(set(found))
    assert all(low <= value <= high for value in found)
    assert not found or default is None or default in found
    assert all(isinstance(value, int if whole else float) for value in found)
