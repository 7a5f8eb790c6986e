"""Finds a bright body on a plain, mostly dark background: ball, ellipsoid, or one with a dark side.

Three steps: the largest connected thing that stands out from the picture's border; an ellipse, or where the
limb is only partly seen a circle, through its outer edge; then that outline again from the brightness along
its normals, to a fraction of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from training.planets.preparing import fit_disc
from training.planets.preparing.disc import Array, Disc, grid
from training.planets.preparing.raster import Mask, components, sample

#: Levels of 255 that a pixel must differ from the background by, at least.
LEAST_SIGNAL = 10.0
#: A body narrower than this part of its length is not taken for one.
LEAST_RATIO = 0.4
#: Outlines seen at this part and more are taken as ellipses; below, a dark side must hide the rest.
WHOLE = 0.85
#: The part of a circle's rim that must be seen to trust it without other pictures.
ENOUGH = 0.4

#: What sticks out beyond the outline must have this part of the body's area to count as a caption.
_LEAST_CAPTION = 1e-4
#: Sides in pixels at which connected things are looked for, and at which edges are measured.
_COARSE = 256
_FINE = 1024


@dataclass(frozen=True)
class Found:
    """What was seen in one picture, in its own pixels."""

    #: None where nothing is round enough.
    disc: Disc | None
    #: Left, top, right, bottom of the largest thing that stands out; None where nothing does.
    seen: tuple[float, float, float, float] | None
    #: Something not of the body lies across its outline: a caption, a button.
    covered: bool = False


def find(image: Image.Image) -> Found:
    """The body in an RGB picture: the largest thing with a sure outline, else the largest with an outline."""
    factor = max(1.0, max(image.size) / _FINE)
    if factor > 1:
        image = image.resize(
            (max(1, round(image.width / factor)), max(1, round(image.height / factor))), Image.Resampling.BOX
        )
    signal, threshold = stand_out(image)
    seen, unsure = None, None
    for component in _candidates(signal, threshold):
        seen = seen or _bounds(component, factor)
        disc = _coarse(component)
        disc = disc and _refined(disc, signal, threshold)
        if disc is None or disc.major < 8 or disc.ratio < LEAST_RATIO:
            continue
        if disc.sure:
            return Found(disc.scaled(factor), seen, is_covered(disc, signal, threshold))
        unsure = unsure or disc.scaled(factor)
    return Found(unsure, seen)


def _bounds(mask: Mask, factor: float) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, right = columns[0] * factor, (columns[-1] + 1) * factor
    return float(left), float(rows[0] * factor), float(right), float((rows[-1] + 1) * factor)


def stand_out(image: Image.Image) -> tuple[Array, float]:
    """How far each pixel of an RGB picture differs from the background, (H, W) in 0..255, and the threshold.

    The background is the median colour of the border; its noise there sets the threshold.
    """
    rgb = np.asarray(image, dtype=np.float64)
    height, width = rgb.shape[:2]
    ring = np.ones((height, width), dtype=bool)
    depth = max(2, min(height, width) // 32)
    ring[depth:-depth, depth:-depth] = False
    background = np.median(rgb[ring], axis=0)
    signal = np.abs(rgb - background).max(axis=2)
    noise = 1.4826 * float(np.median(np.abs(signal[ring] - np.median(signal[ring]))))
    return signal, max(LEAST_SIGNAL, float(np.median(signal[ring])) + 6 * noise)


def _candidates(signal: Array, threshold: float, most: int = 3) -> list[Mask]:
    """Masks of the largest connected things above the threshold, the largest first, each (H, W)."""
    height, width = signal.shape
    factor = max(1.0, max(height, width) / _COARSE)
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    reduced = np.asarray(Image.fromarray(signal.astype(np.float32)).resize(small, Image.Resampling.BOX))
    labels, sizes = components(reduced > threshold)
    order = np.argsort(sizes)[::-1][:most]
    found = []
    for label in order:
        if sizes[label] < 100:
            continue
        grown = Image.fromarray((labels == label + 1).astype(np.uint8) * 255)
        found.append(np.asarray(grown.resize((width, height), Image.Resampling.BILINEAR)) >= 128)
    return found


def _outer_edge(mask: Mask, rays: int = 360) -> tuple[Array, Array]:
    """The outermost pixel of a mask in each direction from its centre of mass: x, y, each (N,)."""
    at_y, at_x = np.nonzero(mask)
    x, y = at_x.astype(np.float64) + 0.5, at_y.astype(np.float64) + 0.5
    middle_x, middle_y = x.mean(), y.mean()
    radius = np.hypot(x - middle_x, y - middle_y)
    ray = ((np.arctan2(y - middle_y, x - middle_x) / (2 * np.pi) + 0.5) * rays).astype(int) % rays
    order = np.lexsort((radius, ray))
    last = order[np.flatnonzero(np.diff(np.append(ray[order], rays + 1)))]
    return x[last], y[last]


def _coarse(mask: Mask) -> Disc | None:
    """An outline through a mask's outer edge, good to some pixels."""
    x, y = _outer_edge(mask)
    extent = max(np.ptp(x), np.ptp(y)) / 2
    tolerance = max(1.5, 0.015 * extent)
    whole = fit_disc.robust(x, y, tolerance, None, round_body=False)
    if whole is not None and whole.support >= WHOLE and whole.ratio >= LEAST_RATIO:
        return whole
    # Not a whole ellipse: a limb that a dark side cuts off is still an arc of a circle.
    partly = fit_disc.circle_by_vote(x, y, tolerance, largest=2 * max(mask.shape))
    if partly is None or partly.support < ENOUGH / 2:
        return None
    columns, rows = grid(mask.shape[1], mask.shape[0])
    beyond = (partly.distance(columns[mask], rows[mask]) > 2 * tolerance).mean()
    return partly if beyond < 0.05 else None


def _refined(disc: Disc, signal: Array, threshold: float) -> Disc | None:
    """The outline where the brightness falls to half of what it is just within, along each normal."""
    round_body = disc.support < WHOLE
    for _ in range(3):
        reach = 0.06 * disc.minor + 2
        x, y, nx, ny = disc.outline(720)
        steps = np.arange(reach, -reach - 1e-9, -0.25)  # from outside to inside
        at = sample(signal, x[:, None] + nx[:, None] * steps, y[:, None] + ny[:, None] * steps)
        plateau = np.median(at[:, steps < -0.5 * reach], axis=1)  # (720,)
        level = np.maximum(threshold, plateau / 2)
        above = at >= level[:, None]
        first = above.argmax(axis=1)
        seen = above.any(axis=1) & (first > 0) & (plateau > threshold)
        index = np.flatnonzero(seen)
        before, after = at[index, first[index] - 1], at[index, first[index]]
        part = (level[index] - before) / np.maximum(after - before, 1e-9)
        edge = steps[first[index] - 1] - 0.25 * part
        ex, ey = x[index] + nx[index] * edge, y[index] + ny[index] * edge
        tolerance = max(0.75, 0.006 * disc.minor)
        better = fit_disc.robust(ex, ey, tolerance, disc, round_body)
        if better is None:
            return None
        # Of the whole outline, not of the part at which there is an edge at all.
        disc = replace(better, support=better.support * len(index) / len(x))
    if not round_body:
        return replace(disc, sure=disc.support >= WHOLE - 0.15)
    # A dark side hides the rim on one side only; a square touches a circle at many places.
    on_rim = np.zeros(len(x), dtype=bool)
    on_rim[index] = np.abs(disc.distance(ex, ey)) <= tolerance
    return replace(disc, sure=disc.support >= ENOUGH and _longest_run(on_rim) >= 0.75 * ENOUGH)


def _longest_run(around: Mask, gap: int = 8) -> float:
    """The longest run of a closed line of flags (N,), as a part of it; gaps up to `gap` are passed over."""
    if not around.any():
        return 0.0
    at = np.flatnonzero(around)
    steps = np.diff(np.append(at, at[0] + len(around)))
    breaks = np.flatnonzero(steps > gap + 1)
    if len(breaks) == 0:
        return 1.0
    starts = np.roll(at[(breaks + 1) % len(at)], 1)
    return float(((at[breaks] - starts) % len(around) + 1).max() / len(around))


def is_covered(disc: Disc, signal: Array, threshold: float) -> bool:
    """Whether something that begins on the body sticks out beyond its outline at one place.

    A glow all around the body is its own (the sun's corona, an atmosphere).
    """
    height, width = signal.shape
    x, y = grid(width, height)
    off = disc.distance(x, y)
    near = max(2.5, 0.012 * disc.minor)
    # A tenth of the body's brightness: what JPEG spills over a bright limb is less.
    level = max(threshold, 0.1 * float(np.median(signal[off < 0])))
    labels, sizes = components((signal > level) & (off > near) & (off < 0.3 * disc.minor))
    for label in np.flatnonzero(sizes >= _LEAST_CAPTION * np.pi * disc.major * disc.minor) + 1:
        here = labels == label
        if off[here].min() > near + 1.5:
            continue
        direction = np.arctan2(y[here] - disc.y, x[here] - disc.x)
        sectors = np.unique(((direction / (2 * np.pi) + 0.5) * 36).astype(int) % 36)
        if len(sectors) < 12:
            return True
    return False
