"""Where the pictures of a collage lie, whatever their shapes are."""

from __future__ import annotations

import math
from itertools import groupby, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.base import BadInput
from engines.collage.layout import Box, Frame, Layout, grid, mosaic, shares, strip
from tests.examples import examples

USUAL = st.floats(0.3, 3.5)
#: A side of 20,000 beside one of 1.
ANY = st.floats(1 / 20_000, 20_000)
FRAMES = st.builds(Frame, st.integers(400, 2000), st.integers(0, 3), st.integers(0, 20))


def rows(layout: Layout) -> list[list[Box]]:
    return [list(row) for _, row in groupby(layout.pictures, key=lambda box: box.top)]


def assert_sound(layout: Layout, frame: Frame, count: int) -> None:
    """All there, in order, inside the margins, a gap apart."""
    assert layout.width == frame.width
    assert len(layout.pictures) == len(layout.captions) == count
    assert [(box.top, box.left) for box in layout.pictures] == sorted(
        (box.top, box.left) for box in layout.pictures
    )
    for box, under in zip(layout.pictures, layout.captions, strict=True):
        assert box.width >= 1
        assert box.height >= 1
        assert box.left >= frame.margin
        assert box.left + box.width <= frame.width - frame.margin
        assert (under.left, under.top, under.width) == (box.left, box.top + box.height, box.width)
    found = rows(layout)
    for row in found:
        assert all(after.left - before.left - before.width == frame.gap for before, after in pairwise(row))
        assert len({box.height for box in row}) == 1
    bottoms = [
        max(under.top + under.height for under in layout.captions if under.top == row[0].top + row[0].height)
        for row in found
    ]
    assert found[0][0].top == frame.margin
    assert all(after[0].top - bottom == frame.gap for bottom, after in zip(bottoms, found[1:], strict=False))
    assert layout.height == bottoms[-1] + frame.margin


def is_full(row: list[Box], frame: Frame) -> bool:
    return (row[0].left, row[-1].left + row[-1].width) == (frame.margin, frame.width - frame.margin)


@given(st.lists(ANY, min_size=1, max_size=100), FRAMES, st.none() | st.integers(1, 100), st.none() | USUAL)
@settings(max_examples=examples(60), deadline=None)
def test_a_grid_s_cells_are_equal(aspects, frame, columns, cell):
    layout = grid(aspects, frame, columns, cell)
    assert_sound(layout, frame, len(aspects))
    assert len({(box.width, box.height) for box in layout.pictures}) == 1
    found = rows(layout)
    assert all(len(row) == len(found[0]) for row in found[:-1])
    assert len(found[-1]) <= len(found[0])
    if columns is not None:
        assert len(found[0]) == min(columns, len(aspects))
    width, height = layout.pictures[0].width, layout.pictures[0].height
    if cell is not None:
        assert abs(height - width / cell) <= 0.5 or height == 1


@given(st.lists(USUAL, min_size=1, max_size=100), FRAMES, st.none() | st.integers(1, 12))
@settings(max_examples=examples(60), deadline=None)
def test_a_mosaic_keeps_every_shape_and_fills_every_row(aspects, frame, columns):
    layout = mosaic(aspects, frame, columns)
    assert_sound(layout, frame, len(aspects))
    assert all(is_full(row, frame) for row in rows(layout))
    for aspect, box in zip(aspects, layout.pictures, strict=True):
        # within the pixel by which boxes are rounded
        assert (box.width - 1.5) / (box.height + 1) <= aspect <= (box.width + 1.5) / max(0.5, box.height - 1)


@given(st.lists(ANY, min_size=1, max_size=100), FRAMES, st.none() | st.integers(1, 100))
@settings(max_examples=examples(40), deadline=None)
def test_a_mosaic_of_absurd_shapes_is_sound(aspects, frame, columns):
    layout = mosaic(aspects, frame, columns)
    assert_sound(layout, frame, len(aspects))
    assert all(is_full(row, frame) for row in rows(layout))


@given(st.lists(ANY, min_size=1, max_size=100), FRAMES, st.booleans())
@settings(max_examples=examples(40), deadline=None)
def test_a_strip_is_one_row_or_one_column(aspects, frame, upright):
    layout = strip(aspects, frame, upright=upright)
    assert_sound(layout, frame, len(aspects))
    assert all(is_full(row, frame) for row in rows(layout))
    assert len(rows(layout)) == (len(aspects) if upright else 1)


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=100), st.integers(0, 5000))
def test_shares_are_whole_and_nobody_goes_without(weights, more):
    total = len(weights) + more
    found = shares(total, weights)
    assert sum(found) == total
    assert min(found) >= 1
    exact = [weight / math.fsum(weights) * total for weight in weights]
    if min(exact) >= 1:
        assert all(abs(one - other) <= 1.001 for one, other in zip(found, exact, strict=True))


@given(st.lists(USUAL, min_size=1, max_size=30), st.lists(st.integers(0, 90), min_size=30, max_size=30))
@settings(max_examples=examples(40), deadline=None)
def test_a_row_leaves_room_for_the_highest_of_its_captions(aspects, heights):
    def below(number: int, _width: int) -> int:
        return heights[number]

    frame = Frame(900, 5, 9)
    for layout in (
        grid(aspects, frame, below=below),
        mosaic(aspects, frame, below=below),
        strip(aspects, frame, below=below),
        strip(aspects, frame, upright=True, below=below),
    ):
        assert_sound(layout, frame, len(aspects))
        assert [box.height for box in layout.captions] == heights[: len(aspects)]


@pytest.mark.parametrize(
    ("count", "aspect", "columns"),
    [(1, 1.5, 1), (2, 1.5, 2), (4, 1.0, 2), (12, 1.0, 4), (9, 1.5, 3), (100, 1.5, 10)],
)
def test_a_grid_finds_its_columns(count, aspect, columns):
    assert len(rows(grid([aspect] * count, Frame(1600, 10, 10)))[0]) == columns


def test_a_mosaic_leaves_no_picture_alone_in_its_last_row():
    # given: five alike, of which four would fit into the first row
    layout = mosaic([1.5] * 5, Frame(1200), columns=4)
    # then
    assert [len(row) for row in rows(layout)] in ([2, 3], [3, 2], [5])
    heights = [row[0].height for row in rows(mosaic([1.5, 0.7] * 20, Frame(1600, 8, 8)))]
    assert max(heights) <= 1.5 * min(heights)


@pytest.mark.parametrize("make", [grid, mosaic, strip], ids=["grid", "mosaic", "strip"])
def test_margins_and_gaps_that_leave_no_room_are_named(make):
    with pytest.raises(BadInput) as caught:
        make([1.0, 1.0], Frame(100, 0, 50))
    assert caught.value.field == "margin"
    if make is not mosaic:  # which puts one below the other
        with pytest.raises(BadInput) as caught:
            make([1.0, 1.0], Frame(100, 99, 0))
        assert caught.value.field == "gap"
        with pytest.raises(BadInput) as caught:
            make([1.0] * 100, Frame(64), **({"columns": 100} if make is grid else {}))
        assert caught.value.field == "width"
