"""Colours and proportions as people write them, for the params of engines that arrange pictures. Light."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

RGBA = tuple[int, int, int, int]

TRANSPARENT = "transparent"
#: The names that a colour may have, as CSS has them.
COLOURS: Mapping[str, str] = {
    "white": "#ffffff",
    "black": "#000000",
    "grey": "#808080",
    "gray": "#808080",
    "silver": "#c0c0c0",
    "red": "#ff0000",
    "orange": "#ffa500",
    "yellow": "#ffff00",
    "green": "#008000",
    "blue": "#0000ff",
    "navy": "#000080",
    "purple": "#800080",
    "pink": "#ffc0cb",
    "beige": "#f5f5dc",
    "brown": "#a52a2a",
    # White, for who decides by brightness what can be read on it.
    TRANSPARENT: "#ffffff00",
}
_HEX = re.compile(r"#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")

_ASPECT = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,3})?):([0-9]{1,5}(?:\.[0-9]{1,3})?)")
#: To 1, either way.
_MOST_OBLONG = 20.0


def _colour(text: str) -> str:
    lower = text.strip().lower()
    if lower not in COLOURS and not _HEX.fullmatch(lower):
        raise ValueError("must be a colour such as #ffcc00 or white, or transparent")
    return lower


def _aspect(text: str) -> str:
    plain = text.replace(" ", "")
    found = _ASPECT.fullmatch(plain)
    if found is None:
        raise ValueError("must be width to height, such as 16:9")
    width, height = map(float, found.groups())
    if not (width and height and 1 / _MOST_OBLONG <= width / height <= _MOST_OBLONG):
        raise ValueError(f"must not be more oblong than {_MOST_OBLONG:g}:1")
    return plain


#: `#rgb`, `#rgba`, `#rrggbb`, `#rrggbbaa`, or a name of COLOURS; in lower case.
Colour = Annotated[str, Field(max_length=20), AfterValidator(_colour)]
#: Width to height: `16:9`, `1.85:1`.
Aspect = Annotated[str, Field(max_length=20), AfterValidator(_aspect)]


def rgba(colour: str) -> RGBA:
    """The levels of a checked colour, 0 to 255."""
    digits = COLOURS.get(colour, colour).removeprefix("#")
    if len(digits) <= 4:
        digits = "".join(2 * digit for digit in digits)
    red, green, blue, alpha = bytes.fromhex(digits.ljust(8, "f"))
    return red, green, blue, alpha


def width_to_height(aspect: str) -> float:
    """A checked aspect as one number."""
    width, height = aspect.split(":")
    return float(width) / float(height)
