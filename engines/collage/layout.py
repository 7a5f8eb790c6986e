"""Where every picture of a collage lies. Numbers alone: shapes and a width in, boxes out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median

from engines.base import BadInput

#: (number of a picture, width of its box) -> how high what is written under it is.
Below = Callable[[int, int], int]

#: Width to height that a sheet comes near, where nobody says how many are side by side.
_SHEET = 4 / 3
#: How much worse a sheet is that is too upright than one that is as much too wide.
_UPRIGHT = 1.5
#: A cell without an aspect of its own is that of the pictures, and no more oblong than this.
_OBLONG = 3.0


@dataclass(frozen=True)
class Box:
    """A rectangle of the collage, in pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Frame:
    """What all layouts have in common: how wide the whole is, and what is left free."""

    width: int
    gap: int = 0
    margin: int = 0

    def room(self, pictures: int) -> int:
        """What is left for so many pictures side by side. Raises BadInput where they get no pixel each."""
        inner = self.width - 2 * self.margin
        if inner < pictures:
            field = "margin" if self.margin else "width"
            raise BadInput(f"no room is left for {_counted(pictures)} side by side", field=field)
        if inner - self.gap * (pictures - 1) < pictures:
            raise BadInput(f"these gaps leave no room for {_counted(pictures)} side by side", field="gap")
        return inner - self.gap * (pictures - 1)


@dataclass(frozen=True)
class Layout:
    """How large the whole becomes, and the boxes of the pictures and of what is written below, in order."""

    width: int
    height: int
    pictures: tuple[Box, ...]
    captions: tuple[Box, ...]


@dataclass(frozen=True)
class _Row:
    height: int
    #: (left, width) of each picture.
    spans: Sequence[tuple[int, int]]


def _counted(pictures: int) -> str:
    return "a picture" if pictures == 1 else f"{pictures} pictures"


def nothing_below(_number: int, _width: int) -> int:
    """Of pictures without captions."""
    return 0


def grid(
    aspects: Sequence[float],
    frame: Frame,
    columns: int | None = None,
    cell: float | None = None,
    below: Below = nothing_below,
) -> Layout:
    """Equal cells in rows; what is left of the width by division goes to the margins."""
    if cell is None:
        cell = min(max(median(aspects), 1 / _OBLONG), _OBLONG)
    columns = min(columns or _columns(len(aspects), cell), len(aspects))
    room = frame.room(columns)
    width = room // columns
    left = frame.margin + room % columns // 2
    height = max(1, round(width / cell))
    spans = [(left + column * (width + frame.gap), width) for column in range(columns)]
    counts = [min(columns, len(aspects) - first) for first in range(0, len(aspects), columns)]
    return _stacked((_Row(height, spans[:count]) for count in counts), frame, below)


def mosaic(
    aspects: Sequence[float], frame: Frame, columns: int | None = None, below: Below = nothing_below
) -> Layout:
    """Rows as wide as the whole, in which every picture keeps its shape and order.

    Which picture begins a row is what makes the rows' heights differ least (for all rows at once, as Knuth
    and Plass break lines). `columns`: about how many are side by side.
    """
    total = math.fsum(aspects)
    inner = frame.room(1)
    mean_row = math.sqrt(_SHEET * total) if columns is None else columns * total / len(aspects)
    wanted = inner / mean_row
    # best[n]: (cost of the first n pictures in rows, where the last of these rows begins)
    best = [(0.0, 0)]
    for end in range(1, len(aspects) + 1):
        found = (math.inf, end - 1)
        row = 0.0
        for start in range(end - 1, -1, -1):
            count = end - start
            row += aspects[start]
            room = inner - frame.gap * (count - 1)
            if room < count:
                break
            cost = best[start][0] + count * math.log(room / row / wanted) ** 2
            found = min(found, (cost, start))
        best.append(found)
    rows = []
    end = len(aspects)
    while end:
        start = best[end][1]
        rows.append(_justified(aspects[start:end], frame))
        end = start
    return _stacked(reversed(rows), frame, below)


def strip(
    aspects: Sequence[float], frame: Frame, *, upright: bool = False, below: Below = nothing_below
) -> Layout:
    """All side by side and equally high, or one below the other and equally wide."""
    rows = [[aspect] for aspect in aspects] if upright else [aspects]
    return _stacked((_justified(row, frame) for row in rows), frame, below)


def shares(total: int, weights: Sequence[float]) -> list[int]:
    """Whole numbers of at least 1 that sum to `total`, as near to the weights' proportions as can be."""
    free = total - len(weights)  # everybody has one
    whole = math.fsum(weights)
    # What a weight has of its own beyond that one; the smallest have nothing.
    extra = [max(0.0, weight / whole * total - 1.0) for weight in weights]
    scale = free / (math.fsum(extra) or 1.0)
    edges = [0, *(round(edge * scale) for edge in accumulate(extra))]
    edges[-1] = free
    return [1 + after - before for before, after in pairwise(edges)]


def _columns(pictures: int, cell: float) -> int:
    """So many that the sheet comes near its usual shape and a small part of it stays empty."""

    def cost(columns: int) -> float:
        rows = math.ceil(pictures / columns)
        wide = math.log(columns * cell / rows / _SHEET)
        return max(wide, -_UPRIGHT * wide) + 1 - pictures / (rows * columns)

    return min(range(1, pictures + 1), key=cost)


def _justified(aspects: Sequence[float], frame: Frame) -> _Row:
    room = frame.room(len(aspects))
    widths = shares(room, aspects)
    lefts = accumulate((width + frame.gap for width in widths[:-1]), initial=frame.margin)
    height = max(1, round(room / math.fsum(aspects)))
    return _Row(height, list(zip(lefts, widths, strict=True)))


def _stacked(rows: Iterable[_Row], frame: Frame, below: Below) -> Layout:
    """One row under the other; each leaves room for the highest of its captions."""
    pictures: list[Box] = []
    captions: list[Box] = []
    top = frame.margin
    for row in rows:
        first = len(pictures)
        pictures += [Box(left, top, width, row.height) for left, width in row.spans]
        heights = [below(first + place, width) for place, (_, width) in enumerate(row.spans)]
        under = top + row.height
        captions += [
            Box(left, under, width, height) for (left, width), height in zip(row.spans, heights, strict=True)
        ]
        top = under + max(heights) + frame.gap
    return Layout(frame.width, top - frame.gap + frame.margin, tuple(pictures), tuple(captions))
