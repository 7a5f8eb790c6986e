"""Whether a generator repeats its training pictures: how near its planets come to them.

In two spaces, as neither alone would show every copy: features, and pixels at 64 px. A training picture
counts together with its mirror image, as training shows both. The measure is real pictures themselves: how
near each comes to the nearest other one. A generator that copies comes nearer than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from training.metrics import Array, Features, Indices, extract, nearest
from training.planets import figures
from training.planets.data import Pictures, held_out

#: Pixels a side in which pictures are compared.
SIDE = 64
#: Training pictures shown below a planet.
SHOWN = 3
#: Shares of the distances that the report tells.
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Space:
    """One way to compare pictures: (N, D) vectors of the same pictures, as they are and mirrored."""

    name: str
    real: Array
    mirrored: Array

    def near(self, made: Array) -> tuple[Array, Indices]:
        """Distances and training pictures of the `SHOWN` nearest: (K, SHOWN) each."""
        return _merged(nearest(made, self.real, SHOWN), nearest(made, self.mirrored, SHOWN), SHOWN)

    def among_real(self, chosen: Tensor | None = None) -> Array:
        """(N,) distance of each real picture to the nearest other one, all of them or the chosen ones."""
        rows = np.arange(len(self.real)) if chosen is None else chosen.numpy()
        real, mirrored = self.real[rows], self.mirrored[rows]
        pairs = [nearest(real, other, 1, itself=True) for other in (real, mirrored)]
        return _merged(pairs[0], pairs[1], 1)[0][:, 0]


def _merged(a: tuple[Array, Indices], b: tuple[Array, Indices], count: int) -> tuple[Array, Indices]:
    """The nearest of two searches; each picture once, nearer of itself and its mirror image first."""
    distances, indices = (np.concatenate(both, axis=1) for both in zip(a, b, strict=True))
    order = np.argsort(distances, axis=1, kind="stable")
    distances, indices = (np.take_along_axis(values, order, axis=1) for values in (distances, indices))
    for row in range(len(indices)):
        _, first = np.unique(indices[row], return_index=True)
        kept = np.sort(first)[:count]
        distances[row, :count], indices[row, :count] = distances[row, kept], indices[row, kept]
    return distances[:, :count], indices[:, :count]


@dataclass(frozen=True)
class Found:
    """What one generator's planets are nearest to in one space."""

    space: Space
    #: (K, SHOWN), nearest first.
    distances: Array
    indices: Indices
    #: (N,), of each real picture to the nearest other one.
    usual: Array
    #: (H,), of each of a held-out tenth of the real pictures to the nearest of the others.
    unseen: Array

    @property
    def closeness(self) -> Array:
        """(K,): the distance to the nearest training picture, in those of that one to its own nearest.

        Below 1 it is nearer to it than any real picture is: not authentic (Alaa et al. 2022).
        """
        own = self.usual[self.indices[:, 0]]
        ratio: Array = self.distances[:, 0] / np.maximum(own, np.finfo(np.float64).tiny)
        return ratio

    def summary(self) -> dict[str, Any]:
        """Numbers for the report. `nearer_than`: how many planets are nearer than that share of real ones."""
        near = self.distances[:, 0]
        return {
            "planets": len(near),
            "generated": _quantiles(near),
            "real_to_other_real": _quantiles(self.usual),
            "held_out_to_rest": _quantiles(self.unseen),
            "nearer_than": {
                str(share): float((near < np.quantile(self.usual, share)).mean()) for share in QUANTILES[:2]
            },
            "authentic": float((self.closeness >= 1.0).mean()),
        }


def _quantiles(distances: Array) -> dict[str, float]:
    return {str(share): float(np.quantile(distances, share)) for share in QUANTILES}


class Comparison:
    """The training pictures in both spaces: made once, for any number of generators."""

    def __init__(self, pictures: Pictures, features: Features, device: torch.device | str = "cpu") -> None:
        self._pictures, self._features, self._device = pictures, features, device
        self._kept, self._unseen = held_out(pictures)
        mirrored = pictures.pixels.flip(3)
        self.spaces = tuple(
            Space(name, self._vectors(name, pictures.pixels), self._vectors(name, mirrored))
            for name in ("features", "pixels")
        )
        self._usual = {space.name: space.among_real() for space in self.spaces}
        self._held_out = {space.name: self._from_rest(space) for space in self.spaces}

    def _vectors(self, name: str, pixels: Tensor) -> Array:
        return extract(self._features, pixels, self._device) if name == "features" else as_vectors(pixels)

    def _from_rest(self, space: Space) -> Array:
        rest = Space(space.name, space.real[self._kept.numpy()], space.mirrored[self._kept.numpy()])
        return rest.near(space.real[self._unseen.numpy()])[0][:, 0]

    def of(self, made: Tensor) -> tuple[Found, ...]:
        """Both spaces of some planets, (K, 3 or 4, S, S) uint8."""
        found = []
        for space in self.spaces:
            distances, indices = space.near(self._vectors(space.name, made))
            usual, unseen = self._usual[space.name], self._held_out[space.name]
            found.append(Found(space, distances, indices, usual, unseen))
        return tuple(found)

    def sheet(self, made: Tensor, found: tuple[Found, ...], columns: int = 12) -> Image.Image:
        """Planets above their nearest training pictures: some at random, and the nearest of all."""
        count = min(columns, len(made))
        first = torch.arange(count)
        blocks = [
            self._block(
                made, found, first, f"{count} planets as they come, with the nearest training pictures"
            )
        ]
        for one in found:
            worst = torch.from_numpy(np.argsort(one.closeness, kind="stable")[:count].copy())
            blocks.append(
                self._block(
                    made,
                    (one,),
                    worst,
                    f"The {count} of {len(made)} nearest to a training picture by {one.space.name}",
                )
            )
        return figures.joined(blocks, down=True)

    def _block(self, made: Tensor, found: tuple[Found, ...], chosen: Tensor, title: str) -> Image.Image:
        rows = [figures.captioned(figures.grid(made[chosen], len(chosen)), f"{title}\ngenerated")]
        for one in found:
            # (columns, SHOWN) -> the nearest of all columns first
            nearest_first = torch.from_numpy(one.indices[chosen.numpy()].T.reshape(-1).copy())
            sheet = figures.grid(self._pictures.pixels[nearest_first], len(chosen))
            rows.append(figures.captioned(sheet, f"nearest training pictures by {one.space.name}"))
        return figures.joined(rows, down=True, gap=4)


def as_vectors(pixels: Tensor) -> Array:
    """(N, 3 or 4, S, S) uint8 -> (N, 3 * 64 * 64) in 0..1; larger pictures are averaged down."""
    rgb = pixels[:, :3].float().div(255.0)
    if rgb.shape[-1] > SIDE:
        rgb = F.adaptive_avg_pool2d(rgb, SIDE)
    return rgb.flatten(1).double().numpy()
