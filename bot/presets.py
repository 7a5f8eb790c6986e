"""Numbers worth a button: a handful between a field's bounds, with its default among them."""

from __future__ import annotations

import math

#: Buttons of a number at most, one row or two.
MOST = 6
#: Ranges wider than this are of seeds and the like: nobody picks one of a handful there.
_WIDEST = 10_000
#: From here on a smallest value that is a power of two means pixels.
_PIXELS = 16


def presets(
    minimum: float | None, maximum: float | None, default: float | None, *, whole: bool
) -> tuple[float, ...]:
    """Values for buttons, ascending, all within the bounds; none where none would be sensible.

    Pixels double, counts are squares (they fill a sheet), what has no zero is halved and doubled from its
    default, and everything else goes in round steps.
    """
    if minimum is None or maximum is None:
        found = _around(default, whole) if default else []
    elif whole and maximum - minimum < MOST:
        found = [minimum + step for step in range(int(maximum - minimum) + 1)]
    elif whole and _is_pixels(minimum) and maximum >= 4 * minimum:
        found = [minimum * 2**n for n in range(20)]
    elif whole and minimum == 1 == default:
        found = [1.0, 4.0, 9.0, 16.0]
    elif minimum > 0 and default:
        found = _around(default, whole)
    elif maximum - minimum <= _WIDEST:
        found = _steps(minimum, maximum, whole)
    else:
        found = []
    inside = {v for v in found if (minimum is None or v >= minimum) and (maximum is None or v <= maximum)}
    kept = _nearest(inside | {default}, default) if default is not None and inside else sorted(inside)
    return tuple(int(v) if whole else float(v) for v in kept)


def _is_pixels(minimum: float) -> bool:
    return minimum >= _PIXELS and math.log2(minimum).is_integer()


def _around(default: float, whole: bool) -> list[float]:
    """The default halved and doubled, twice each."""
    found = [default / 4, default / 2, default, default * 2, default * 4]
    return [float(round(v)) for v in found] if whole else found


def _steps(minimum: float, maximum: float, whole: bool) -> list[float]:
    """Multiples of the smallest round step that needs no more than MOST of them; the minimum left out."""
    span = maximum - minimum
    if span <= 0:
        return [minimum]
    power = 10.0 ** math.floor(math.log10(span / MOST))
    sizes = [size * power for size in (1.0, 2.5, 5.0, 10.0, 25.0) if not whole or (size * power).is_integer()]
    step = next(size for size in sizes if span / size <= MOST)
    first = math.floor(minimum / step) + 1
    return [round((first + n) * step, 9) for n in range(MOST + 1)]


def _nearest(values: set[float], default: float) -> list[float]:
    """MOST of them at most, dropped from the small end, never the default."""
    kept = sorted(values)
    while len(kept) > MOST:
        kept.remove(next(v for v in kept if v != default))
    return kept
