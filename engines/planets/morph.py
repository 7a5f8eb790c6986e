"""The way an animation takes from planet to planet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from engines.interpolation import spherical, steps
from engines.planets.latents import Code


def path(stops: Sequence[Code], frames: int) -> Iterator[Code]:
    """A closed way through the planets, in so many frames; each is passed slowly.

    Noise goes along a great circle as latents do: on a line it would fade halfway.
    """
    for a, b, t in steps(len(stops), frames // len(stops), loop=True, smooth=True):
        here, there = stops[a], stops[b]
        yield Code(
            latent=spherical(here.latent, there.latent, t),
            worlds=((1.0 - t) * here.worlds + t * there.worlds).astype(np.float32),
            noise=spherical(here.noise, there.noise, t),
        )
