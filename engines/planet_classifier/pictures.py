"""A picture of any shape -> the square that the network sees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from engines.images import fit_size
from engines.planet_classifier.model import SIDE

Floats = npt.NDArray[np.float32]


def letterbox(image: Image.Image, side: int = SIDE) -> Floats:
    """RGB picture -> (3, side, side) in 0..1: the whole of it, in the middle, on black.

    A planet keeps its shape, and nothing is cut off: of 20,000 x 10 pixels one line is left.
    """
    size = fit_size(image.width, image.height, side)
    small = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    square = np.zeros((side, side, 3), dtype=np.float32)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    square[top : top + size[1], left : left + size[0]] = np.asarray(small, dtype=np.float32) / 255.0
    return np.ascontiguousarray(square.transpose(2, 0, 1))
