"""From a picture and its disc to square RGBA pictures of several sizes with a clean edge."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from training.planets.preparing.disc import Disc, grid
from training.planets.preparing.raster import sample

FRAMINGS = ("auto", "keep", "fill", "world")

#: A picture whose sides differ by less than this part is square.
_SQUARE = 0.02
#: A square picture whose body is at least this part of its side was framed by somebody.
_FRAMED = 0.6
#: Within this many pixels of the middle (at 512) a disc counts as centred and is not moved.
_CENTRED = 1.5 / 512


@dataclass(frozen=True)
class Frame:
    """A square of a picture, in its pixels; it may reach beyond the picture."""

    left: float
    top: float
    side: float


def frame(
    disc: Disc, size: tuple[int, int], framing: str, margin: float, world_major: float, world_round: bool
) -> Frame:
    """The square to cut out of a picture of `size` (width, height), with the disc in its middle.

    `fill`: each disc's long axis and a margin, which is a part of that axis, on both sides. `world`: the
    same with `world_major`, the largest semi-axis of the world's pictures of that size, so that a body seen
    from its end stays small. `keep`: the picture's own shorter side. `auto`: `keep` for square pictures that
    the body fills for the most part; otherwise `fill` for a world of balls (`world_round`), whose size in the
    picture is but the zoom, and `world` for other bodies.
    """
    width, height = size
    squarish = abs(width - height) <= _SQUARE * max(size)
    if framing == "auto":
        framing = "fill" if world_round else "world"
        if squarish and 2 * world_major >= _FRAMED * min(size):
            framing = "keep"
    if framing != "keep":
        major = world_major if framing == "world" else disc.major
        side = 2 * major * (1 + 2 * margin)
        return Frame(disc.x - side / 2, disc.y - side / 2, side)
    side = min(size)
    centred = max(abs(disc.x - width / 2), abs(disc.y - height / 2)) <= _CENTRED * side
    if width == height and centred:
        return Frame(0, 0, side)
    # Whole pixels, so that a picture that need not be scaled is not resampled; never so tight that it is cut.
    side = max(side, math.ceil(2 * disc.major * 1.02))
    return Frame(round(disc.x - side / 2), round(disc.y - side / 2), side)


def cut(image: Image.Image, disc: Disc, square: Frame, sizes: tuple[int, ...]) -> dict[int, Image.Image]:
    """The square of an RGB picture at each size as RGBA, straight alpha; black where alpha is 0.

    Alpha is the ellipse itself, antialiased at that size. What lies outside the disc (space, stars,
    captions) and the rim that compression and antialiasing have mixed with it is first painted over with
    the colours just within, so that no filter can bring it in again: this does what filtering in
    premultiplied space is for, and also cleans the rim.
    """
    largest = max(sizes)
    scale = largest / square.side
    crop = _cropped(image, square).resize((largest, largest), Image.Resampling.LANCZOS, box=_within(square))
    moved = disc.moved(-square.left, -square.top)
    full = _painted_over(crop, moved.scaled(scale), inset=2.0 * max(1.0, scale))
    return {size: _masked(full, moved.scaled(size / square.side), size) for size in sizes}


def _cropped(image: Image.Image, square: Frame) -> Image.Image:
    """The whole pixels that a frame touches; black beyond the picture."""
    left, top = math.floor(square.left), math.floor(square.top)
    right, bottom = math.ceil(square.left + square.side), math.ceil(square.top + square.side)
    return image.crop((left, top, right, bottom))


def _within(square: Frame) -> tuple[float, float, float, float]:
    """A frame's left, top, right and bottom in what `_cropped` makes."""
    left, top = square.left - math.floor(square.left), square.top - math.floor(square.top)
    return left, top, left + square.side, top + square.side


def _painted_over(image: Image.Image, disc: Disc, inset: float) -> Image.Image:
    """The picture with everything beyond `inset` pixels within the outline in the colours found there."""
    pixels = np.array(image, dtype=np.float64)  # (H, W, 3)
    x, y = grid(image.width, image.height)
    rim = disc.distance(x, y) > -inset
    from_x, from_y = disc.inside(x[rim], y[rim], inset)
    pixels[rim] = sample(pixels, from_x, from_y)
    return Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))


def _masked(full: Image.Image, disc: Disc, size: int) -> Image.Image:
    colour = full if full.width == size else full.resize((size, size), Image.Resampling.LANCZOS)
    alpha = (disc.coverage(size, size) * 255 + 0.5).astype(np.uint8)
    pixels: npt.NDArray[np.uint8] = np.dstack([np.asarray(colour), alpha])
    pixels[alpha == 0] = 0
    return Image.fromarray(pixels)
