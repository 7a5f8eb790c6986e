"""How often each method computes what, and how much work that is. No torch: the spec asks it too."""

from __future__ import annotations

import math
from collections.abc import Sequence

Size = tuple[int, int]  # (height, width)

#: Of both methods, by `quality`: iterations of a level; of the first scale and of each later one.
PATCH_ITERATIONS = {"draft": 8, "normal": 12, "best": 16}
GATYS_ITERATIONS = {"draft": (200, 60), "normal": (500, 200), "best": (1000, 500)}

#: Pixels around a patch's centre.
BORDER = 2
#: Up to this many (pixel, key) pairs the search is exact.
EXACT_PAIRS = 1e8
#: Style pixels that every pixel is compared with where the search is not exact.
SUBSET = 4096
#: Iterations at the start of a level that look further around.
WIDE_ITERATIONS = 2

# Work is counted in scored (pixel, key) pairs. What else is done to a pixel, in that unit:
#: Scoring a candidate is a gather of its key: measured, as much as some 50 entries of the matrix product.
CANDIDATE_COST = 50.0
DESCRIBE_COST = 250.0
VOTE_COST = 250.0

_RATIO = 1.6
_SMALLEST_SIDE = 40
_SMALLEST_SCALE = 128  # long side of the first scale of `gatys`

# Seconds of one core, fitted to runs of 64 to 512 pixels on a Xeon (within a fifth, but for 0.4 s that every
# job took to read its pictures). An EPYC took 0.6 to 0.9 of that up to 2048 pixels.
_SECONDS_A_PAIR = 1.2e-9
_SECONDS_A_KEY = 1.6e-6  # a style pixel of a level: resizing, its patch, its guide
_SECONDS_A_PIXEL = 2.8e-6  # of the picture: guide, sharpening, reading and writing the file
#: A step of `gatys`, between what it takes in bfloat16 (4.6) and in float32 (8.8).
_SECONDS_A_STEP_AND_PIXEL = 6.4e-6


def level_scales(height: int, width: int) -> list[float]:
    """Scales of the pyramid, coarsest first, the last is 1: 1/1.6**k while the short side is >= 40 px."""
    count = 1
    while min(height, width) / _RATIO**count >= _SMALLEST_SIDE:
        count += 1
    return [_RATIO**-level for level in reversed(range(count))]


def octave_scales(size: Size) -> list[float]:
    """Those of `gatys`: from a long side of about 128 px up by sqrt(2); the last is 1."""
    count = 1
    while round(max(size) / math.sqrt(2) ** count) >= _SMALLEST_SCALE:
        count += 1
    return [math.sqrt(2) ** -step for step in reversed(range(count))]


def scaled(size: Size, scale: float) -> Size:
    """`size` times `scale`, no side under 1."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def keys_of(styles: Sequence[Size], scale: float) -> int:
    """Style pixels of a level, with their borders."""
    small = (scaled(style, scale) for style in styles)
    return sum((height + 2 * BORDER) * (width + 2 * BORDER) for height, width in small)


def level_work(content: Size, styles: Sequence[Size], scale: float, iterations: int) -> list[float]:
    """Pairs that each iteration of a level of `patches` scores, or as much work."""
    height, width = scaled(content, scale)
    pixels, keys = height * width, keys_of(styles, scale)
    work = []
    for iteration in range(iterations):
        if pixels * keys <= EXACT_PAIRS:
            pairs = float(keys)
        else:
            wide = iteration < WIDE_ITERATIONS
            candidates = 5 + (8 if wide else 0) + (8 if iteration == 0 else 0)
            pairs = CANDIDATE_COST * candidates + (SUBSET if wide else 0)
        work.append(pixels * (pairs + DESCRIBE_COST + VOTE_COST))
    return work


def patches_seconds(content: Size, styles: Sequence[Size], quality: str) -> float:
    """About what `patches` takes of a processor's core."""
    iterations = PATCH_ITERATIONS[quality]
    scales = level_scales(*content)
    pairs = sum(sum(level_work(content, styles, scale, iterations)) for scale in scales)
    keys = sum(keys_of(styles, scale) for scale in scales)
    pixels = content[0] * content[1]
    return _SECONDS_A_PAIR * pairs + _SECONDS_A_KEY * keys + _SECONDS_A_PIXEL * pixels


def gatys_seconds(content: Size, quality: str) -> float:
    """About what `gatys` takes of a processor's core. Styles cost one pass each, which is nothing."""
    first, later = GATYS_ITERATIONS[quality]
    shares = [scale**2 for scale in octave_scales(content)]
    steps = first * shares[0] + later * sum(shares[1:])
    return _SECONDS_A_STEP_AND_PIXEL * content[0] * content[1] * steps
