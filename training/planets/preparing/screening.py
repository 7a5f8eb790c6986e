"""Which pictures of a world are the same or blurred: a look at each, and comparisons between looks.

A look is of the disc alone, cut to one size, so that neither framing nor captions play a part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from training.planets.preparing.cut_disc import Frame, cut
from training.planets.preparing.disc import Array, Disc
from training.planets.preparing.raster import Mask

#: Side of the square a look is taken at, pixels.
_SIDE = 256
#: Side at which two of them are compared: there recompression hardly shows.
_COMPARED = 64
#: Variance of the Laplacian that rounding to whole levels alone makes: 1 / 12 times 1 + 1 + 1 + 1 + 16.
_ROUNDING = 20 / 12
#: Mean levels below which pictures are compared as if they were that bright.
_DARK = 64.0
_GREY = np.array([0.299, 0.587, 0.114])
#: Cells a side of the coarse picture that says which thumbnails are worth comparing.
_CELLS = 8


@dataclass(frozen=True)
class Look:
    """What comparisons need of a picture."""

    #: Mean grey of 8 x 8 cells, row by row, in levels.
    cells: tuple[float, ...]
    #: Variance of the Laplacian within the disc over its squared mean brightness, without unit.
    sharpness: float


def thumbnail(image: Image.Image, disc: Disc) -> Image.Image:
    """The disc of an RGB picture, filling a square of 256 pixels; RGBA."""
    side = 2.1 * disc.major
    return cut(image, disc, Frame(disc.x - side / 2, disc.y - side / 2, side), (_SIDE,))[_SIDE]


def look(thumb: Image.Image) -> Look:
    """The look of a thumbnail."""
    rgba = np.asarray(thumb, dtype=np.float64)
    grey = rgba[..., :3] @ _GREY
    cells = Image.fromarray(grey.astype(np.float32)).resize((_CELLS, _CELLS), Image.Resampling.BOX)
    return Look(
        tuple(round(float(cell), 2) for cell in np.asarray(cells).ravel()),
        _sharpness(grey, rgba[..., 3] >= 255),
    )


def _sharpness(grey: Array, solid: Mask) -> float:
    centre = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * centre
    within = _inner(solid)[1:-1, 1:-1]
    if not within.any():
        return 0.0
    variance = max(float(laplacian[within].var()) - _ROUNDING, 0.0)
    return variance / max(float(centre[within].mean()), 1.0) ** 2


def _inner(solid: Mask) -> Mask:
    """The inner nine tenths of a centred disc, (S, S): the limb depends on how it was found and cleaned."""
    side = len(solid)
    at = ((np.arange(side) + 0.5 - side / 2) / 0.9 + side / 2).astype(int)
    at = np.clip(at, 0, side - 1)
    return solid & solid[np.ix_(at, at)]


def _compared(thumb: Image.Image) -> tuple[Array, Mask]:
    """Grey levels and the solid part of a thumbnail, small, each (64, 64)."""
    rgba = np.asarray(thumb.resize((_COMPARED, _COMPARED), Image.Resampling.BOX), dtype=np.float64)
    return rgba[..., :3] @ _GREY, rgba[..., 3] > 127


def may_be_same(others: Array, cells: Array, level: float) -> Mask:
    """Which pictures can differ from one by less than `level` levels: a cheap test before `difference`.

    `others` (K, 64) and `cells` (64,) are looks' cells; the answer is (K,). Means over cells never differ by
    more than the pixels do (Jensen); twice the level leaves room for the rims, which the cells count as well.
    A hash of signs would not do: on a banded planet's even stretches they are chance.
    """
    return np.asarray(_rms(others, np.broadcast_to(cells, others.shape)) <= 2 * level)


def difference(first: Image.Image, second: Image.Image) -> float:
    """Root mean square difference in grey of two thumbnails where both are solid, in levels of 255.

    A change of exposure alone counts little: the second is scaled to the first one's brightness, and both to
    a common one where they are dark, as dark ones differ by few levels. Grey, because JPEG spoils colour
    more than two turns of a planet differ in it. Infinite when the outlines differ.
    """
    (a, solid_a), (b, solid_b) = _compared(first), _compared(second)
    both = solid_a & solid_b
    if both.sum() < 0.95 * (solid_a | solid_b).sum():
        return float("inf")
    inner = _inner(both)
    return float(_rms(a[inner], b[inner]))


def _rms(one: Array, two: Array) -> Array:
    """Along the last axis: (..., N) and (..., N) -> (...)."""
    brightness = np.maximum(one.mean(axis=-1), 1.0)
    scaled = two * (brightness / np.maximum(two.mean(axis=-1), 1.0))[..., None]
    return np.asarray(np.sqrt(np.mean((one - scaled) ** 2, axis=-1)) * np.maximum(1.0, _DARK / brightness))
