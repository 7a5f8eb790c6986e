"""Whatever colours a picture is stored in -> sRGB, converted once, its transparency beside it.

What the numbers mean is asked of, in this order and as browsers do: PNG's cICP, an embedded ICC profile, nclx
of HEIC and AVIF, PNG's sRGB chunk, its gAMA and cHRM; else they are sRGB. What makes no sense counts as
absent.
"""

from __future__ import annotations

import io
import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, TiffImagePlugin

from engines import icc

#: Code points of ITU-T H.273: the lights ...
_PRIMARIES: dict[int, tuple[tuple[icc.Chromaticity, ...], icc.Chromaticity]] = {
    1: (icc.SRGB_PRIMARIES, icc.D65),
    2: (icc.SRGB_PRIMARIES, icc.D65),  # not said
    5: (((0.640, 0.330), (0.290, 0.600), (0.150, 0.060)), icc.D65),
    6: (((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)), icc.D65),
    9: (((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), icc.D65),
    11: (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), (0.314, 0.351)),
    12: (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), icc.D65),
}
#: ... and the curves. The curves of television are shown as sRGB's, as browsers do; PQ and HLG, which are for
#: brighter screens than ours, are not here.
_CURVES: dict[int, tuple[float, ...]] = {
    **dict.fromkeys((1, 2, 6, 13, 14, 15), icc.SRGB_CURVE),
    4: (2.2,),
    5: (2.8,),
    8: (1.0,),
}

#: How far a gAMA may be from 1/2.2, by which programs say "as screens are", and still mean sRGB's curve:
#: libpng's own threshold.
_SAME_GAMMA = 0.05
_SAME_LIGHT = 0.002
_GAMMAS = (0.1, 10.0)  # exponents that a picture may have

#: Ranges that 32-bit integers and floats are used with. The smallest that holds a picture is meant.
_RANGES = (2**8 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1)


def to_srgb(image: Image.Image, code_points: tuple[int, int] | None = None) -> Image.Image:
    """The loaded picture in sRGB: "RGB", or "RGBA" where it can be seen through.

    `code_points`: primaries and curve by ITU-T H.273, where the file has them.
    """
    if image.mode.startswith("I") or image.mode == "F":
        colour, alpha = _sixteen_bits(image), _deep_alpha(image)
    else:
        colour, alpha = _apart(image)
    profile = image.info.get("icc_profile")
    if code_points is not None and not (code_points[0] in _PRIMARIES and code_points[1] in _CURVES):
        code_points = None
    shown = None
    if isinstance(profile, bytes) and not (code_points and image.format == "PNG"):
        shown = _through(colour, profile)
    if shown is None and colour.mode in ("RGB", "L", "I;16"):
        made = _described(image, code_points, colour.mode)
        shown = _through(colour, made) if made else None
    if shown is None:
        shown = _unprofiled(colour)
    if alpha is not None:
        shown.putalpha(alpha)
    shown.info.clear()  # what was said of other colours
    return shown


def _apart(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colours in a mode that profiles are for, and what they are seen through with."""
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        alpha = rgba.getchannel("A")
        grey = image.mode in ("1", "L", "LA")
        return (rgba.getchannel("R") if grey else rgba.convert("RGB")), alpha
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image, None
    return image.convert("L" if image.mode == "1" else "RGB"), None


def _unprofiled(colour: Image.Image) -> Image.Image:
    if colour.mode == "LAB":
        return _through(colour, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()) or colour
    if colour.mode == "I;16":
        colour = Image.fromarray(((np.asarray(colour).astype(np.uint32) + 128) // 257).astype(np.uint8))
    # A copy, where it is one already: the picture belongs to the caller.
    return colour.convert("RGB") if colour.mode != "RGB" else colour.copy()


def _through(colour: Image.Image, profile: bytes) -> Image.Image | None:
    """Converted from that profile, or None for one that is broken or for another kind of colours.

    Viewers show a file with such a profile as if it had none, and so do we.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if space == "RGB" and colour.mode in ("L", "I;16"):
            colour = _unprofiled(colour)  # greys written as colours; programs do it
        if {"L": "GRAY", "I;16": "GRAY", "LAB": "Lab"}.get(colour.mode, colour.mode) != space:
            return None
        # The short cut for greys is too coarse for what is dark: 10 levels of 255 off.
        flags = ImageCms.Flags.NOOPTIMIZE if space == "GRAY" else ImageCms.Flags.NONE
        target = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, target, colour.mode, "RGB", flags=flags)
        return ImageCms.applyTransform(colour, transform)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


# --- files without a profile ------------------------------------------------------------------------


def _described(image: Image.Image, code_points: tuple[int, int] | None, mode: str) -> bytes | None:
    """A profile of what the file says in other ways; None where that is sRGB, or nothing."""
    lights, white = icc.SRGB_PRIMARIES, icc.D65
    curve: tuple[float, ...] = icc.SRGB_CURVE
    if code_points is not None:
        (lights, white), curve = _PRIMARIES[code_points[0]], _CURVES[code_points[1]]
    elif image.format == "PNG" and "srgb" not in image.info:
        lights, white = _chromaticities(image.info.get("chromaticity")) or (lights, white)
        curve = _gamma(image.info.get("gamma"), usual=lights is icc.SRGB_PRIMARIES)
    if lights is icc.SRGB_PRIMARIES and curve is icc.SRGB_CURVE:
        return None
    try:
        return icc.rgb_profile(lights, white, curve) if mode == "RGB" else icc.grey_profile(curve)
    except ValueError:
        return None


def _chromaticities(found: object) -> tuple[tuple[icc.Chromaticity, ...], icc.Chromaticity] | None:
    """PNG's cHRM: white, red, green, blue. None for sRGB's own, and for what is nonsense."""
    if not isinstance(found, tuple) or len(found) != 8:
        return None
    places = tuple(zip(found[::2], found[1::2], strict=True))
    usual = (icc.D65, *icc.SRGB_PRIMARIES)
    if all(math.dist(one, other) < _SAME_LIGHT for one, other in zip(places, usual, strict=True)):
        return None
    if any(not (y > 0 and x >= 0 and x + y <= 1) for x, y in places):
        return None
    return places[1:], places[0]


def _gamma(found: object, *, usual: bool) -> tuple[float, ...]:
    """The curve of PNG's gAMA; with the usual lights, 1/2.2 means sRGB."""
    if not isinstance(found, float) or found <= 0 or not _GAMMAS[0] <= 1 / found <= _GAMMAS[1]:
        return icc.SRGB_CURVE
    if usual and abs(found * 2.2 - 1) < _SAME_GAMMA:
        return icc.SRGB_CURVE
    return (1 / found,)


# --- greys of more than 8 bits ----------------------------------------------------------------------


def _sixteen_bits(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float greys as "I;16", the top of their range at its top."""
    bits, signed = _declared(image)
    if image.mode == "I;16" and bits == 16:
        return image
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    if image.mode == "I" and bits == 32 and not signed:
        values = np.where(values < 0, values + 2.0**32, values)  # which Pillow reads as if they were signed
    top = _top(image.mode, values, bits, signed)
    scaled = np.clip(values / top * 65535.0 + 0.5, 0.0, 65535.0)
    return Image.fromarray(scaled.astype(np.uint16))


def _top(mode: str, values: npt.NDArray[np.float64], bits: int, signed: bool) -> float:
    """The value that is white: by the numbers' bits, where there are few; else by what is in it.

    32 bits are used for anything: for counts of 8 and of 16 bits as well as for their whole range. TIFF's
    MaxSampleValue is a statistic, by the standard, and 12 bits in a 16-bit file are as dark as it says.
    """
    if mode != "F" and bits < 32:
        return float(2 ** (bits - signed) - 1)
    most = float(values.max(initial=0.0))
    ranges = (1.0, *_RANGES) if mode == "F" else _RANGES
    return next((float(top) for top in ranges if most <= top), most)


def _declared(image: Image.Image) -> tuple[int, bool]:
    """(bits of a number, whether it has a sign) as the file has them."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (16,))
        form = image.tag_v2.get(TiffImagePlugin.SAMPLEFORMAT, (1,))
        return int(bits[0]), form[0] == 2
    return (16 if image.mode.startswith("I;16") or image.format == "PNG" else 32), image.mode == "I"


def _deep_alpha(image: Image.Image) -> Image.Image | None:
    """Of a PNG that names one of its greys as transparent."""
    hidden = image.info.get("transparency")
    if not isinstance(hidden, int):
        return None
    return Image.fromarray(np.where(np.asarray(image) == hidden, 0, 255).astype(np.uint8))
