"""Which pictures of a world are the same or blurred: a look at each, and comparisons between looks.

A look is of the disc alone, cut to one size, so that neither framing nor captions play a part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from scripts.planets.cut_disc import Frame, cut
from scripts.planets.disc import Array, Disc

#: Side of the square a look is taken at, pixels.
_SIDE = 256
#: Side at which two of them are compared: there recompression hardly shows.
_COMPARED = 64
#: Bits of 64 in which the hashes of two pictures may differ and still be compared by pixels.
HASH_BITS = 8


@dataclass(frozen=True)
class Look:
    """What comparisons need of a picture."""

    #: 64 bits: whether brightness rises from each of 8 x 9 cells to the next (dHash).
    hash: int
    #: Variance of the Laplacian within the disc over its squared mean brightness, without unit.
    sharpness: float


def thumbnail(image: Image.Image, disc: Disc) -> Image.Image:
    """The disc of an RGB picture, filling a square of 256 pixels; RGBA."""
    side = max(2, round(2.1 * disc.major))
    return cut(image, disc, Frame(round(disc.x - side / 2), round(disc.y - side / 2), side), (_SIDE,))[_SIDE]


def look(thumb: Image.Image) -> Look:
    """The look of a thumbnail."""
    rgba = np.asarray(thumb, dtype=np.float64)
    grey = rgba[..., :3] @ np.array([0.299, 0.587, 0.114])
    return Look(_hash(grey), _sharpness(grey, rgba[..., 3] >= 255))


def _hash(grey: Array) -> int:
    cells = Image.fromarray(grey.astype(np.float32)).resize((9, 8), Image.Resampling.BOX)
    bits = np.diff(np.asarray(cells), axis=1).ravel() > 0
    return int("".join("1" if bit else "0" for bit in bits), 2)


def _sharpness(grey: Array, solid: npt.NDArray[np.bool_]) -> float:
    centre = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * centre
    # The inner nine tenths: the limb's own edge says nothing about the picture.
    at = ((np.arange(_SIDE) + 0.5 - _SIDE / 2) / 0.9 + _SIDE / 2).astype(int)
    at = np.clip(at, 0, _SIDE - 1)
    within = (solid & solid[np.ix_(at, at)])[1:-1, 1:-1]
    if not within.any():
        return 0.0
    return float(laplacian[within].var() / max(float(centre[within].mean()), 1.0) ** 2)


def _compared(thumb: Image.Image) -> Array:
    return np.asarray(thumb.resize((_COMPARED, _COMPARED), Image.Resampling.BOX), dtype=np.float64)


def difference(first: Image.Image, second: Image.Image) -> float:
    """Root mean square difference of two thumbnails where both are solid, in levels of 255.

    A change of exposure alone counts little: the second is scaled to the first one's brightness. Infinite
    when the outlines differ.
    """
    a, b = _compared(first), _compared(second)
    both, either = (a[..., 3] > 127) & (b[..., 3] > 127), (a[..., 3] > 127) | (b[..., 3] > 127)
    if both.sum() < 0.95 * either.sum():
        return float("inf")
    one, two = a[both][:, :3], b[both][:, :3]
    two = two * (one.mean() / max(two.mean(), 1.0))
    return float(np.sqrt(np.mean((one - two) ** 2)))
