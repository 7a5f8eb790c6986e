"""Passes of one size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engines.chunks import filled_chunks


@given(st.lists(st.integers(), max_size=40), st.integers(1, 9))
def test_every_item_is_wanted_once_in_order_and_every_chunk_is_full(items, size):
    chunks = list(filled_chunks(items, size))
    assert [item for chunk, wanted in chunks for item in chunk[:wanted]] == items
    assert all(len(chunk) == size and 1 <= wanted <= size for chunk, wanted in chunks)
    assert all(set(chunk[wanted:]) <= {chunk[0]} for chunk, wanted in chunks)


def test_items_are_taken_as_they_are_needed():
    endless = iter(int, 1)
    assert next(filled_chunks(endless, 3)) == ([0, 0, 0], 3)
