"""What a net drew -> pictures: in other sizes, transparent or on black."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float32]


def resized(drawn: Floats, size: int) -> Floats:
    """(S, S, 4) premultiplied in 0..1 -> (size, size, 4), likewise.

    Larger: Lanczos for the colours, and an edge that is as sharp at the new size as it was at the old one.
    """
    side = drawn.shape[0]
    if side == size:
        return drawn
    planes = [
        Image.fromarray(np.ascontiguousarray(drawn[..., plane])).resize(
            (size, size), Image.Resampling.LANCZOS
        )
        for plane in range(4)
    ]
    scaled: Floats = np.stack([np.asarray(plane) for plane in planes], axis=-1)
    alpha = scaled[..., 3:]
    # Lanczos overshoots at the edge, in colour and alpha alike: divided before either is clipped, it cancels.
    colour = np.clip(scaled[..., :3] / np.maximum(alpha, 1 / 16), 0.0, 1.0)
    sharp = np.clip((alpha - 0.5) * max(1.0, size / side) + 0.5, 0.0, 1.0)
    return np.concatenate([colour * sharp, sharp], axis=-1)


def picture(drawn: Floats, transparent: bool) -> Image.Image:
    """(S, S, 4) premultiplied in 0..1 -> an RGBA picture, or an RGB one on black."""
    if not transparent:
        return Image.fromarray(_bytes(drawn[..., :3]), "RGB")
    alpha = drawn[..., 3:]
    # Files hold colours that are not premultiplied; under next to no alpha there is nothing to divide.
    straight = np.where(alpha > 1 / 512, drawn[..., :3] / np.maximum(alpha, 1 / 512), 0.0)
    return Image.fromarray(_bytes(np.concatenate([np.clip(straight, 0.0, 1.0), alpha], axis=-1)), "RGBA")


def _bytes(values: Floats) -> npt.NDArray[np.uint8]:
    return (values * 255.0 + 0.5).astype(np.uint8)
