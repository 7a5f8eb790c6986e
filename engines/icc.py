"""Colour profiles made from a few numbers, for pictures that give those in place of a profile.

A profile here is the smallest one that a colour engine takes: a matrix and a curve (ICC.1:2022, 8.3 and 8.4).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

#: A light's place on the CIE 1931 diagram.
Chromaticity = tuple[float, float]

#: Of sRGB and of most other spaces for screens.
D65: Chromaticity = (0.3127, 0.3290)
SRGB_PRIMARIES: tuple[Chromaticity, ...] = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
#: IEC 61966-2-1 as a parametric curve: exponent, a, b, c and d of `(ax + b) ** g` above d, `cx` below.
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

_D50_XYZ = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def rgb_profile(
    primaries: Sequence[Chromaticity] = SRGB_PRIMARIES,
    white: Chromaticity = D65,
    curve: Sequence[float] = SRGB_CURVE,
) -> bytes:
    """The profile of three lights; `curve` is an exponent alone, or the five numbers of SRGB_CURVE.

    Raises ValueError for lights that span no colours.
    """
    columns = _to_d50(primaries, white).T
    tags = {f"{light}XYZ": _xyz(column) for light, column in zip("rgb", columns, strict=True)}
    tags |= {f"{light}TRC": _parametric(curve) for light in "rgb"}
    return _profile(b"RGB ", {"wtpt": _xyz(_D50_XYZ), **tags})


def grey_profile(curve: Sequence[float]) -> bytes:
    """The profile of greys with that curve, as `rgb_profile` takes it."""
    return _profile(b"GRAY", {"wtpt": _xyz(_D50_XYZ), "kTRC": _parametric(curve)})


def _to_d50(primaries: Sequence[Chromaticity], white: Chromaticity) -> npt.NDArray[np.float64]:
    """(3, 3): light's amounts -> XYZ as seen under D50, which ICC counts in."""
    if any(y <= 0 for _, y in (*primaries, white)):
        raise ValueError("a chromaticity of no light")
    lights = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in primaries]).T  # (XYZ, light)
    seen = np.array((white[0] / white[1], 1.0, (1 - sum(white)) / white[1]))
    if abs(np.linalg.det(lights)) < 1e-6:
        raise ValueError("lights that span no colours")
    amounts = np.linalg.solve(lights, seen)
    cones = _BRADFORD @ np.array(_D50_XYZ) / (_BRADFORD @ seen)
    adapted: npt.NDArray[np.float64] = (
        np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD @ lights * amounts
    )
    if not np.abs(adapted).max() < 100:  # what the format's numbers hold, by far
        raise ValueError("lights that span no colours")
    return adapted


def _fixed(values: Sequence[float] | npt.NDArray[np.float64]) -> bytes:
    return b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)


def _xyz(values: Sequence[float] | npt.NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _parametric(curve: Sequence[float]) -> bytes:
    kind = 0 if len(curve) == 1 else 3
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + _fixed(curve)


def _profile(space: bytes, tags: dict[str, bytes]) -> bytes:
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name.encode() + struct.pack(">II", start + len(body), len(data))
        body += data  # all of whole words
    size = start + len(body)
    header = struct.pack(">I4sI4s4s4s12s4s", size, b"", 0x04200000, b"mntr", space, b"XYZ ", b"", b"acsp")
    header += bytes(28) + _fixed(_D50_XYZ)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
