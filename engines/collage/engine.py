"""The `collage` engine: measure all pictures, lay them out, put one after the other in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from engines import images
from engines.base import BadInput, Context, Output
from engines.collage import layout
from engines.collage.captions import Lettering, writable
from engines.collage.layout import Box, Frame, Layout
from engines.collage.spec import CollageParams
from engines.cropping import largest, placed
from engines.notation import RGBA, rgba, width_to_height
from engines.resampling import resized

#: Raised with every change that alters results.
RECIPE = "1"

#: Of the result; it is in memory as a whole. No side is longer than the house lets in, or WebP holds.
MAX_PIXELS = 40_000_000
MAX_SIDE = 20_000
_WEBP_SIDE = 16_383

#: How much larger than needed a JPEG is decoded at least; the rest is scaled in linear light.
_SPARE = 2
#: Letters under a picture: this part of what is common as its width, within these parts of the whole.
_LETTERS, _LEAST_LETTERS, _MOST_LETTERS = 1 / 15, 1 / 150, 1 / 28
#: Letters under the whole.
_TITLE = 1 / 36
_SMALLEST = 11  # pixels
_DARK, _BRIGHT = (32, 32, 32), (240, 240, 240)


class Engine:
    """Opens one picture at a time, no larger than it is needed: a hundred take the memory of one."""

    device = "cpu"

    def setup(self) -> None:
        """There is nothing to load."""

    def run(self, params: CollageParams, context: Context) -> Iterator[Output]:
        """One picture. Raises BadInput for one that cannot be read, and for what has no room."""
        paths = []
        sizes = []
        for number, ref in enumerate(params.images):
            context.progress(0.0, "measuring")
            with _picture(number):
                paths.append(context.input(ref))
                sizes.append(images.upright_size(paths[-1]))
        texts, left_out = _texts(params)
        background = rgba(params.background)
        under_each, under_all = _letterings(params, background)
        boxes = _laid_out(params, sizes, texts, under_each)
        caption, missing = writable(params.caption or "")
        title = under_all.draw(caption, boxes.width - 2 * params.spaces()[1]) if caption else None
        height = boxes.height + (title.height if title else 0)
        _check_size(params, boxes.width, height)

        sheet = Image.new(*_canvas(background, (boxes.width, height)))
        for number, (path, box) in enumerate(zip(paths, boxes.pictures, strict=True)):
            context.progress(
                number / len(paths), "placing", preview=lambda: images.preview(images.flatten(sheet))
            )
            with _picture(number):
                _put(sheet, _shown(path, sizes[number], box, params), box)
        for text, box in zip(texts, boxes.captions, strict=True):
            if text:
                _put(sheet, under_each.draw(text, box.width), box)
        if title:
            _put(
                sheet, title, Box(params.spaces()[1], height - params.spaces()[1] - title.height, *title.size)
            )
        context.progress(0.99, "writing")
        yield _output(params, sheet, boxes, "".join(dict.fromkeys(left_out + missing)))


@contextmanager
def _picture(number: int) -> Iterator[None]:
    """What is wrong with a picture says with which."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"picture {number + 1}: {error}", field=f"images.{number}") from error


def _texts(params: CollageParams) -> tuple[list[str], str]:
    """Of each picture what can be written under it, and what cannot."""
    asked = params.captions or []
    found = [writable(text) for text in asked]
    texts = [text for text, _ in found] + [""] * (len(params.images) - len(asked))
    return texts, "".join(missing for _, missing in found)


def _letterings(params: CollageParams, background: RGBA) -> tuple[Lettering, Lettering]:
    """Under each picture, and under the whole."""
    red, green, blue, _ = background
    # Rec. 709's weights, over what is stored: near enough to how bright it looks.
    ink = _DARK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 127 else _BRIGHT
    beside = params.columns or len(params.images) ** 0.5
    if params.layout == "strip":
        beside = 1 if params.direction == "column" else len(params.images)
    size = params.width * min(max(_LETTERS / beside, _LEAST_LETTERS), _MOST_LETTERS)
    each, whole = (Lettering(max(_SMALLEST, round(one)), ink) for one in (size, params.width * _TITLE))
    return each, whole


def _laid_out(
    params: CollageParams, sizes: Sequence[tuple[int, int]], texts: Sequence[str], lettering: Lettering
) -> Layout:
    def below(number: int, width: int) -> int:
        return lettering.height(texts[number], width)

    frame = Frame(params.width, *params.spaces())
    aspects = [width / height for width, height in sizes]
    if params.layout == "grid":
        cell = width_to_height(params.cell) if params.cell else None
        return layout.grid(aspects, frame, params.columns, cell, below)
    if params.layout == "mosaic":
        return layout.mosaic(aspects, frame, params.columns, below)
    return layout.strip(aspects, frame, upright=params.direction == "column", below=below)


def _check_size(params: CollageParams, width: int, height: int) -> None:
    side = _WEBP_SIDE if params.format == "webp" else MAX_SIDE
    if height > side or width * height > MAX_PIXELS:
        most = f"{MAX_PIXELS // 10**6} megapixels, and {side:,} on a side"
        raise BadInput(f"this would be {width} x {height} pixels; at most {most}", field="width")


def _canvas(background: RGBA, size: tuple[int, int]) -> tuple[str, tuple[int, int], tuple[int, ...]]:
    """Mode, size and colour of an empty sheet."""
    return ("RGB", size, background[:3]) if background[3] == 255 else ("RGBA", size, background)


def _shown(path: Path, size: tuple[int, int], box: Box, params: CollageParams) -> Image.Image:
    """The picture as large as it is shown in its box."""
    width, height = size
    if params.layout == "grid" and params.fit == "contain":
        scale = min(box.width / width, box.height / height)
        target = max(1, round(width * scale)), max(1, round(height * scale))
    else:
        scale = max(box.width / width, box.height / height)
        target = box.width, box.height
    decoded = images.load(path, least=(_spared(width * scale), _spared(height * scale)))
    if params.layout != "grid" or params.fit == "contain":
        return resized(decoded, target)
    return resized(decoded, target, placed(decoded.size, largest(decoded.size, box.width / box.height)))


def _spared(pixels: float) -> int:
    return max(1, round(pixels * _SPARE))


def _put(sheet: Image.Image, picture: Image.Image, box: Box) -> None:
    """In the middle of its box, on what is there."""
    place = (box.left + (box.width - picture.width) // 2, box.top + (box.height - picture.height) // 2)
    if picture.mode == "RGB":
        sheet.paste(picture, place)
    elif sheet.mode == "RGB":
        sheet.paste(picture, place, picture)
    else:
        sheet.alpha_composite(picture, place)


def _output(params: CollageParams, sheet: Image.Image, boxes: Layout, left_out: str) -> Output:
    meta = {
        "engine": "collage",
        "recipe": RECIPE,
        "seed": params.seed,
        "layout": params.layout,
        "width": sheet.width,
        "height": sheet.height,
        "boxes": [[box.left, box.top, box.width, box.height] for box in boxes.pictures],
    }
    if left_out:
        meta["left_out"] = left_out
    data = images.encode(sheet, params.format, meta)
    return Output(f"collage.{images.SUFFIXES[params.format]}", images.MEDIA_TYPES[params.format], data, meta)
