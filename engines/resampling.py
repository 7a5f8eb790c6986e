"""Pictures in other sizes, as light adds up: means of what is stored would make fine bright detail too dark.

Smaller: Lanczos over linear light, a band of rows at a time, so that a large picture needs no large memory.
Larger: Lanczos over what is stored, for over linear light the dark side of every edge gets a ring to be seen.
Colours under transparency weigh as much as they are seen.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

#: (left, top, right, bottom) within a picture.
Region = tuple[int, int, int, int]

#: Pixels of the source in a band: floats of all its planes are a few tens of MiB.
_BAND = 2_000_000
#: Lanczos' reach to either side, in pixels of the smaller picture.
_REACH = 3
#: Steps of linear light in the table back: 20 of them are the first of 255.
_STEPS = 65_536

_STORED = np.arange(256) / 255.0
_OPAQUE = _STORED.astype(np.float32)
_LINEAR = np.where(_STORED <= 0.04045, _STORED / 12.92, ((_STORED + 0.055) / 1.055) ** 2.4).astype(np.float32)
_LIGHT = np.arange(_STEPS) / (_STEPS - 1)
_SRGB = np.where(_LIGHT <= 0.0031308, _LIGHT * 12.92, 1.055 * _LIGHT ** (1 / 2.4) - 0.055)
_BYTES = np.round(_SRGB * 255.0).astype(np.uint8)


def resized(image: Image.Image, size: tuple[int, int], region: Region | None = None) -> Image.Image:
    """RGB or RGBA -> (width, height) in the same mode, of a region of it or the whole."""
    left, top, right, bottom = region or (0, 0, *image.size)
    if size == (right - left, bottom - top):
        return image if size == image.size else image.crop((left, top, right, bottom))
    if size[0] * size[1] >= (right - left) * (bottom - top):
        return image.crop((left, top, right, bottom)).resize(size, Image.Resampling.LANCZOS)
    result = Image.new(image.mode, size)
    step = (bottom - top) / size[1]  # rows of the source to one of the result
    reach = math.ceil(_REACH * max(1.0, step)) + 1
    rows = max(1, int(_BAND / ((right - left) * step)))
    for first in range(0, size[1], rows):
        last = min(size[1], first + rows)
        upper = max(top, math.floor(top + first * step) - reach)
        lower = min(bottom, math.ceil(top + last * step) + reach)
        band = image.crop((left, upper, right, lower))
        box = (0.0, top + first * step - upper, float(band.width), top + last * step - upper)
        result.paste(_shrunk(band, (size[0], last - first), box), (0, first))
    return result


def _shrunk(band: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> Image.Image:
    """One band; beyond the box its filter still sees the rows next to it."""

    def plane(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.LANCZOS, box=box))

    stored = np.asarray(band)  # (H, W, 3 or 4)
    if band.mode == "RGB":
        return Image.fromarray(np.stack([_stored(plane(_LINEAR[stored[..., c]])) for c in range(3)], axis=-1))
    opaque = _OPAQUE[stored[..., 3]]
    alpha = plane(opaque)
    # Lanczos overshoots in colour and alpha alike: divided before either is clipped, it cancels.
    weight: npt.NDArray[np.float32] = np.maximum(alpha, np.float32(1 / 510))
    colours = [_stored(plane(_LINEAR[stored[..., c]] * opaque) / weight) for c in range(3)]
    return Image.fromarray(np.stack([*colours, _rounded(alpha, 255).astype(np.uint8)], axis=-1))


def _stored(light: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return _BYTES[_rounded(light, _STEPS - 1)]


def _rounded(values: npt.NDArray[np.float32], top: int) -> npt.NDArray[np.intp]:
    return (np.clip(values, 0.0, 1.0) * np.float32(top) + np.float32(0.5)).astype(np.intp)
