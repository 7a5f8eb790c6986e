"""Wavelet filters of the augmentations: two symlets (Daubechies 1992) and what follows from them.

Here a filter's taps sum to 1, where orthonormal ones sum to the root of 2.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_ROOT3 = math.sqrt(3.0)

#: Two vanishing moments, four taps; the same as Daubechies' own.
SYM2: Floats = np.array([1.0 - _ROOT3, 3.0 - _ROOT3, 3.0 + _ROOT3, 1.0 + _ROOT3]) / 8.0

#: Six vanishing moments, twelve taps, as symmetric as orthonormality lets them be.
SYM6: Floats = np.array(
    [
        0.015404109327027373,
        0.0034907120842174702,
        -0.11799011114819057,
        -0.048311742585633,
        0.4910559419267466,
        0.787641141030194,
        0.3379294217276218,
        -0.07263752278646252,
        -0.021060292512300564,
        0.04472490177066578,
        0.0017677118642428036,
        -0.007800708325034148,
    ]
) / math.sqrt(2.0)


def octaves(taps: Floats, count: int) -> Floats:
    """(count, L) filters without phase that split a signal into octaves and add up to the signal.

    The first is the lowest. `taps` are an orthonormal low-pass; each level splits what the last one left
    below (Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", appendix B).
    """
    low = np.convolve(taps, taps[::-1])  # |H|^2: at even lags only the one in the middle is left
    signs = (-1.0) ** np.arange(-(len(taps) - 1), len(taps))
    high = low * signs  # |H|^2 half a turn further: with `low` it makes 1
    below = np.ones(1)
    found: list[Floats] = []
    for level in range(count - 1):
        found.insert(0, np.convolve(below, _spread(high, level)))
        below = np.convolve(below, _spread(low, level))
    found.insert(0, below)
    return np.stack([_widened(band, len(below)) for band in found])


def _spread(taps: Floats, level: int) -> Floats:
    """The taps with 2^level - 1 zeros between them."""
    step = 2**level
    spread = np.zeros((len(taps) - 1) * step + 1)
    spread[::step] = taps
    return spread


def _widened(taps: Floats, length: int) -> Floats:
    """Centred among zeros."""
    missing = (length - len(taps)) // 2
    return np.pad(taps, (missing, missing))
