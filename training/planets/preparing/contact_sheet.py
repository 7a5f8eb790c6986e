"""All pictures of a world on one sheet, with their names, to be looked over at a glance."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageColor, ImageDraw

_CAPTION = 14
_GAP = 4


def sheet(
    tiles: Sequence[tuple[Image.Image, str]], tile: int = 112, columns: int = 10, background: str = "#20242c"
) -> Image.Image:
    """An RGB sheet of pictures (any mode; transparent parts show the background) with a line under each."""
    ground = ImageColor.getrgb(background)[:3]
    ink = (0, 0, 0) if sum(ground) > 380 else (200, 204, 212)
    columns = max(1, min(columns, len(tiles)))
    rows = max(1, math.ceil(len(tiles) / columns))
    step_x, step_y = tile + _GAP, tile + _CAPTION + _GAP
    page = Image.new("RGB", (columns * step_x + _GAP, rows * step_y + _GAP), ground)
    draw = ImageDraw.Draw(page)
    for index, (picture, caption) in enumerate(tiles):
        x, y = _GAP + index % columns * step_x, _GAP + index // columns * step_y
        # Pillow filters RGBA with premultiplied colours.
        small = picture.convert("RGBA")
        small.thumbnail((tile, tile), Image.Resampling.LANCZOS)
        page.paste(small, (x + (tile - small.width) // 2, y + (tile - small.height) // 2), small)
        draw.text((x + 2, y + tile), _shortened(draw, caption, tile - 4), fill=ink)
    return page


def _shortened(draw: ImageDraw.ImageDraw, text: str, width: int) -> str:
    # The built-in font has Latin-1 at most.
    text = text.encode("ascii", "replace").decode()
    while text and draw.textlength(text) > width:
        text = text[:-1]
    return text
