"""Many small pictures as one: grids, captions, several side by side."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_SPACE = (24, 24, 28)
_INK = (225, 225, 225)
_GAP = 2
_FONT_SIZE = 13
_LINE = 18


def picture(pixels: Tensor) -> Image.Image:
    """(3 or 4, S, S) uint8, on black -> RGB. A fourth channel (the mask) is left out."""
    return Image.fromarray(pixels[:3].permute(1, 2, 0).contiguous().numpy())


def grid(pixels: Tensor, columns: int) -> Image.Image:
    """(N, 3 or 4, S, S) uint8, N > 0, row by row with a small gap."""
    count, side = len(pixels), pixels.shape[-1]
    columns = min(columns, count)
    rows, step = -(-count // columns), side + _GAP
    sheet = Image.new("RGB", (columns * step - _GAP, rows * step - _GAP), _SPACE)
    for index, one in enumerate(pixels):
        sheet.paste(picture(one), (index % columns * step, index // columns * step))
    return sheet


def captioned(image: Image.Image, text: str) -> Image.Image:
    """The picture under its caption, which may have several lines; wide enough for both."""
    font, lines = ImageFont.load_default(_FONT_SIZE), text.split("\n")
    width = max(image.width, *(round(font.getlength(line)) + 2 * _GAP for line in lines))
    head = _LINE * len(lines) + _GAP
    sheet = Image.new("RGB", (width, image.height + head), _SPACE)
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        draw.text((_GAP, number * _LINE), line, fill=_INK, font=font)
    sheet.paste(image, (0, head))
    return sheet


def joined(images: Sequence[Image.Image], *, down: bool = False, gap: int = 12) -> Image.Image:
    """Several side by side, or one below the other."""
    along = [image.height if down else image.width for image in images]
    across = max(image.width if down else image.height for image in images)
    whole = sum(along) + gap * (len(images) - 1)
    sheet = Image.new("RGB", (across, whole) if down else (whole, across), _SPACE)
    place = 0
    for image, length in zip(images, along, strict=True):
        sheet.paste(image, (0, place) if down else (place, 0))
        place += length + gap
    return sheet
