"""Where in a picture most is to be seen, for whoever cuts it without having looked at it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from engines.cropping import Size
from engines.images import fit_size, flatten

#: Long side of what is looked at, in pixels: fine grain is gone, and things are still there.
_SIDE = 96
#: How much less what lies at the edge counts than the same in the middle.
_EDGE = 0.3


def busiest(image: Image.Image, kept: Size) -> tuple[float, float]:
    """The anchor (`cropping.placed`) of the part of this size with the most contours in it.

    How much brightness and colours change is added up over every place that the part may have; of like ones
    the one nearest to the middle is taken.
    """
    small = flatten(image).resize(fit_size(*image.size, _SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    window = [
        min(side, max(1, round(part * side / whole)))
        for side, part, whole in zip(small.size, kept, image.size, strict=True)
    ]
    sums = _sums(_contours(np.asarray(small, dtype=np.float64)), window[0], window[1])
    rows, columns = (_nearness(count) for count in sums.shape)
    weighed = sums * rows[:, None] * columns[None, :]
    row, column = np.unravel_index(int(np.argmax(weighed)), weighed.shape)
    return _part(int(column), sums.shape[1]), _part(int(row), sums.shape[0])


def _contours(levels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(H, W, 3) -> (H, W): how much each pixel differs from the next to the right and below."""
    across = np.abs(np.diff(levels, axis=1, append=levels[:, -1:]))
    down = np.abs(np.diff(levels, axis=0, append=levels[-1:]))
    found: npt.NDArray[np.float64] = (across + down).sum(axis=2) + 1.0  # a little everywhere
    return found


def _sums(values: npt.NDArray[np.float64], width: int, height: int) -> npt.NDArray[np.float64]:
    """Over every window of that size, by its left top corner."""
    total = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    found: npt.NDArray[np.float64] = (
        total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    )
    return found


def _nearness(count: int) -> npt.NDArray[np.float64]:
    """1 in the middle of so many places, and less towards either end."""
    places = np.linspace(-1.0, 1.0, count) if count > 1 else np.zeros(1)
    return 1.0 - _EDGE * places**2


def _part(place: int, count: int) -> float:
    return place / (count - 1) if count > 1 else 0.5
