"""A planet's disc in a picture: an ellipse, its signed distance and its antialiased mask.

Coordinates are in pixels, x to the right and y down, and pixel (0, 0) covers 0..1 in both: its middle is
at 0.5, 0.5. So a disc is scaled with its picture by one factor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Disc:
    """The outline of a body: an ellipse; a circle when `major` equals `minor`."""

    x: float
    y: float
    #: Semi-axes in pixels, major >= minor.
    major: float
    minor: float
    #: From the x axis to the major axis in radians, towards y, in -pi/2..pi/2.
    angle: float
    #: The part of the outline at which an edge was seen, 0..1.
    support: float = 1.0
    #: Enough of the outline was seen to trust it alone.
    sure: bool = True

    @property
    def ratio(self) -> float:
        """Minor axis over major axis: 1 is a circle."""
        return self.minor / self.major

    def scaled(self, factor: float) -> Disc:
        """The same disc in a picture `factor` times as large."""
        return replace(
            self,
            x=self.x * factor,
            y=self.y * factor,
            major=self.major * factor,
            minor=self.minor * factor,
        )

    def moved(self, dx: float, dy: float) -> Disc:
        """The same disc, `dx` and `dy` pixels further right and down."""
        return replace(self, x=self.x + dx, y=self.y + dy)

    def _turned(self, x: Array, y: Array) -> tuple[Array, Array]:
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return (x - self.x) * cos + (y - self.y) * sin, (y - self.y) * cos - (x - self.x) * sin

    def distance(self, x: Array, y: Array) -> Array:
        """Signed distance of points to the outline in pixels, negative inside.

        First order in the distance (exact for a circle): good near the outline, where it is wanted.
        """
        u, v = self._turned(x, y)
        rho = np.maximum(np.hypot(u / self.major, v / self.minor), 1e-9)
        slope = np.hypot(u / self.major**2, v / self.minor**2) / rho
        return np.asarray((rho - 1) / np.maximum(slope, 1e-12))

    def inside(self, x: Array, y: Array, inset: float) -> tuple[Array, Array]:
        """For each point, the one `inset` pixels within the outline on its way to the middle.

        Points that lie deeper than that stay where they are.
        """
        u, v = self._turned(x, y)
        rho = np.maximum(np.hypot(u / self.major, v / self.minor), 1e-9)
        slope = np.hypot(u / self.major**2, v / self.minor**2) / rho
        pull = np.minimum(1, np.maximum(1 - inset * slope, 0) / rho)
        return self.x + (x - self.x) * pull, self.y + (y - self.y) * pull

    def outline(self, count: int) -> tuple[Array, Array, Array, Array]:
        """`count` points on the outline and their outward unit normals: x, y, nx, ny, each (count,)."""
        t = np.arange(count) * (2 * np.pi / count)
        u, v = self.major * np.cos(t), self.minor * np.sin(t)
        nu, nv = np.cos(t) / self.major, np.sin(t) / self.minor
        length = np.hypot(nu, nv)
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        nx, ny = (nu * cos - nv * sin) / length, (nu * sin + nv * cos) / length
        return self.x + u * cos - v * sin, self.y + u * sin + v * cos, nx, ny

    def coverage(self, width: int, height: int) -> Array:
        """The antialiased mask, (height, width) in 0..1: an edge one pixel wide centred on the outline."""
        x, y = grid(width, height)
        return np.clip(0.5 - self.distance(x, y), 0.0, 1.0)

    def fits(self, width: int, height: int, slack: float = 1.0) -> bool:
        """Whether the whole disc lies within a picture of that size, but for `slack` pixels."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        half_w = math.hypot(self.major * cos, self.minor * sin)
        half_h = math.hypot(self.major * sin, self.minor * cos)
        return (
            self.x - half_w >= -slack
            and self.y - half_h >= -slack
            and self.x + half_w <= width + slack
            and self.y + half_h <= height + slack
        )


def grid(width: int, height: int) -> tuple[Array, Array]:
    """The middles of the pixels: x and y, each (height, width)."""
    y, x = np.mgrid[:height, :width].astype(np.float64) + 0.5
    return x, y


def consensus(discs: Sequence[Disc | None], minimum: int = 3, spread: float = 0.03) -> Disc | None:
    """The disc that the sure ones of several pictures of one size agree on, or None.

    The median of the centres and semi-axes. There is none when fewer than `minimum` are sure, or when half
    of them lie further than `spread` radii from it in any of the four (a body that moves or turns its long
    side has no common disc).
    """
    sure = [disc for disc in discs if disc is not None and disc.sure]
    if len(sure) < minimum:
        return None
    table = np.array([(disc.x, disc.y, disc.major, disc.minor) for disc in sure])  # (N, 4)
    middle = np.median(table, axis=0)
    if np.median(np.abs(table - middle), axis=0).max() > spread * middle[2]:
        return None
    # The direction of a long axis is the same after half a turn, so double angles are averaged.
    doubled = [2 * disc.angle for disc in sure]
    angle = math.atan2(float(np.sin(doubled).mean()), float(np.cos(doubled).mean())) / 2
    x, y, major, minor = (float(value) for value in middle)
    return Disc(x, y, major, minor, angle, support=0.0, sure=True)
