"""The way an animation takes from point to point of a latent space."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def steps(stops: int, frames: int, *, loop: bool, smooth: bool) -> Iterator[tuple[int, int, float]]:
    """(from, to, how far between them, 0 to below 1) of each frame; `frames` from one stop to the next.

    `smooth`: slower at the stops (smoothstep). A loop ends one frame before its first; what is no loop ends
    on its last stop.
    """
    for leg in range(stops if loop else stops - 1):
        for frame in range(frames):
            t = frame / frames
            yield leg, (leg + 1) % stops, t * t * (3.0 - 2.0 * t) if smooth else t
    if not loop:
        yield stops - 1, stops - 1, 0.0


def linear(a: Floats, b: Floats, t: float) -> Floats:
    """(D,) and (D,) -> (D,) on the line between them."""
    return ((1.0 - t) * a + t * b).astype(np.float32)


def spherical(a: Floats, b: Floats, t: float) -> Floats:
    """(D,) and (D,) -> (D,) along a great circle (Shoemake 1985), linear in length.

    On the straight line between two normal latents points are shorter than any a net has seen. Equal,
    opposite and zero vectors have no one arc between them: there it is the line.
    """
    lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if min(lengths) == 0.0:
        return linear(a, b, t)
    cosine = np.clip(np.dot(a, b) / (lengths[0] * lengths[1]), -1.0, 1.0)
    angle = float(np.arccos(cosine))
    if angle < 1e-4 or np.pi - angle < 1e-4:
        return linear(a, b, t)
    arc = (np.sin((1.0 - t) * angle) * a / lengths[0] + np.sin(t * angle) * b / lengths[1]) / np.sin(angle)
    return np.asarray(arc * ((1.0 - t) * lengths[0] + t * lengths[1]), dtype=np.float32)
