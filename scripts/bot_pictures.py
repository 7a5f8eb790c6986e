"""Make the pictures the Telegram bot offers as styles, and the sheet that shows them, from `assets/styles`.

    python scripts/bot_pictures.py

They are part of the package, smaller than the originals: a bot that is installed has no `assets`.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "assets" / "styles"
TARGET = ROOT / "bot" / "pictures"
#: Long side of a style picture: strokes are taken from it at the size of the result, 768 unless asked for.
SIDE = 768
#: Of the sheet: a tile and the room between two, in pixels.
TILE, GAP = 400, 8


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    pictures = [Image.open(path, formats=("JPEG",)).convert("RGB") for path in sorted(SOURCE.glob("*.jpg"))]
    names = [path.stem for path in sorted(SOURCE.glob("*.jpg"))]
    for name, picture in zip(names, pictures, strict=True):
        small = picture.copy()
        small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        small.save(TARGET / f"{name}.jpg", quality=88, optimize=True)
    sheet(pictures).save(TARGET / "sheet.jpg", quality=85, optimize=True)


def sheet(pictures: list[Image.Image]) -> Image.Image:
    """All of them, two in a row, numbered in the order of their names."""
    rows = -(-len(pictures) // 2)
    made = Image.new("RGB", (2 * TILE + GAP, rows * (TILE + GAP) - GAP), "white")
    for number, picture in enumerate(pictures):
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        tile = picture.crop((left, top, left + side, top + side)).resize((TILE, TILE))
        draw = ImageDraw.Draw(tile)
        draw.ellipse((12, 12, 60, 60), fill="white")
        draw.text((36, 36), str(number + 1), fill="black", font=ImageFont.load_default(32), anchor="mm")
        made.paste(tile, (number % 2 * (TILE + GAP), number // 2 * (TILE + GAP)))
    return made


if __name__ == "__main__":
    main()
