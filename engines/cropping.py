"""Which part of a picture is kept where it has to have another shape."""

from __future__ import annotations

from engines.resampling import Region

Size = tuple[int, int]


def largest(size: Size, aspect: float) -> Size:
    """The largest (width, height) of this aspect within a picture; no side falls under 1."""
    width, height = size
    if width > height * aspect:
        return min(width, max(1, round(height * aspect))), height
    return width, min(height, max(1, round(width / aspect)))


def placed(size: Size, kept: Size, anchor: tuple[float, float] = (0.5, 0.5)) -> Region:
    """Where what is kept lies: `anchor` 0 is left or top, 1 right or bottom."""
    left, top = (round((whole - part) * at) for whole, part, at in zip(size, kept, anchor, strict=True))
    return left, top, left + kept[0], top + kept[1]
