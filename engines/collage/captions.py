"""What is written under pictures: which characters can be, in how many lines, how it is drawn.

With the font that lies beside this file and Pillow's plain layout, so that a collage is the same on every
machine. That layout writes from left to right and places no mark over a letter of its own.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FONT = Path(__file__).parent / "fonts" / "DejaVuSansCondensed.ttf"

#: Lines of a caption; what is longer ends in an ellipsis.
MOST_LINES = 3
#: From line to line, and above the first one, in sizes of the font.
_LINE, _ABOVE = 1.25, 0.3
_ELLIPSIS = "…"
#: Not in Unicode, and so in no font: it is drawn as whatever the font lacks.
_NO_CHARACTER = "\uffff"
#: Marks, what steers, what means nothing to others.
_UNWRITTEN = {"Mn", "Me", "Cc", "Cf", "Cs", "Co", "Cn"}
_FROM_THE_RIGHT = {"R", "AL", "AN"}


def writable(text: str) -> tuple[str, str]:
    """A text on one line as far as it can be written, and the characters that cannot, each once."""
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    missing = dict.fromkeys(one for one in plain if not _is_writable(one))
    return " ".join("".join(one for one in plain if one not in missing).split()), "".join(missing)


class Lettering:
    """Text of one size and colour."""

    def __init__(self, size: int, colour: tuple[int, int, int]) -> None:
        """`size` in pixels."""
        self._size = size
        self._colour = colour
        self._font = _font(size)

    def lines(self, text: str, width: int) -> list[str]:
        """The writable text in lines no wider than that, where a single letter is not."""
        lines: list[str] = []
        rest = text
        while rest and len(lines) < MOST_LINES:
            line = self._first_line(rest, width)
            rest = rest[len(line) :].lstrip()
            lines.append(line.rstrip())
        if rest:
            lines[-1] = self._cut(lines[-1], width)
        return lines

    def height(self, text: str, width: int) -> int:
        """Of the text within that width, in pixels; none for no text."""
        lines = len(self.lines(text, width))
        return round(self._size * (_ABOVE + _LINE * lines)) if lines else 0

    def draw(self, text: str, width: int) -> Image.Image:
        """RGBA, `width` wide and as high as `height` says, the lines in the middle."""
        mask = Image.new("L", (width, max(1, self.height(text, width))))
        draw = ImageDraw.Draw(mask)
        for number, line in enumerate(self.lines(text, width)):
            middle = self._size * (_ABOVE + _LINE * (number + 0.5))
            draw.text((width / 2, middle), line, fill=255, font=self._font, anchor="mm")
        picture = Image.new("RGBA", mask.size, self._colour)
        picture.putalpha(mask)
        return picture

    def _first_line(self, text: str, width: int) -> str:
        """As much as fits, up to the end of a word, or within the first one where that is too long."""
        fits = self._fitting(text, width)
        if fits == len(text) or text[fits] == " ":
            return text[:fits]
        end = text.rfind(" ", 0, fits)
        return text[:end] if end > 0 else text[: max(1, fits)]

    def _cut(self, line: str, width: int) -> str:
        room = width - self._font.getlength(_ELLIPSIS)
        return line[: self._fitting(line, room)].rstrip() + _ELLIPSIS

    def _fitting(self, text: str, width: float) -> int:
        """How many of its characters fit."""
        fits, over = 0, len(text) + 1
        while over - fits > 1:
            middle = (fits + over) // 2
            if self._font.getlength(text[:middle]) <= width:
                fits = middle
            else:
                over = middle
        return fits


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, size, layout_engine=ImageFont.Layout.BASIC)


@cache
def _is_writable(character: str) -> bool:
    """Whether the font has it and it can stand by itself in a line from left to right."""
    if character == " ":
        return True
    if (
        unicodedata.category(character) in _UNWRITTEN
        or unicodedata.bidirectional(character) in _FROM_THE_RIGHT
    ):
        return False
    font = _font(16)
    return bytes(font.getmask(character)) != bytes(font.getmask(_NO_CHARACTER))
