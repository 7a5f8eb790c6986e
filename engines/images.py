"""Pictures in and out for every engine: any picture -> upright sRGB, and that -> a file with metadata.

Pillow and numpy only, so that a light process may use it as well.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, PngImagePlugin

from doors.image_facts import Header, HeaderError
from doors.image_files import DECODER_ERRORS, look, open_image, orientation
from engines.base import BadInput
from engines.colour import to_srgb

#: The key of our record in a PNG's text chunks; a JPEG and a WebP carry the same JSON as EXIF user comment.
METADATA_KEY = "atelier"

MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp", "avif": "image/avif"}

#: The file extension of each kind.
SUFFIXES = {"png": "png", "jpeg": "jpg", "webp": "webp", "avif": "avif"}

#: Pillow's names of them.
_OURS = ("PNG", "JPEG", "WEBP", "AVIF")

#: Of those that lose something, where nobody says how much they may.
_QUALITIES = {"jpeg": 93, "webp": 92, "avif": 80}
#: Space between the pictures of a contact sheet, as a part of one's side.
_GAP = 1 / 16
_USER_COMMENT_ASCII = b"ASCII\x00\x00\x00"  # EXIF 2.32, table 9: the character code before a UserComment


Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)

#: What makes a picture upright, by its orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: From here on, width and height change places.
_ON_ITS_SIDE = 5


def load_rgb(source: Path | BinaryIO, background: Colour = WHITE) -> Image.Image:
    """Read a picture as upright 8-bit sRGB, its first frame where it has several.

    As `load`, and transparency is flattened on `background`. Raises BadInput when it cannot be read.
    """
    return flatten(load(source), background)


def load(source: Path | BinaryIO, least: tuple[int, int] | None = None) -> Image.Image:
    """Read a picture as upright sRGB: "RGB", or "RGBA" where it can be seen through.

    Its orientation is applied, its colours are converted (`engines.colour`), greys of more than 8 bits are
    scaled. Where `least`, an upright (width, height), is all that is needed, a JPEG is decoded no larger than
    the next of 1/1, 1/2, 1/4 and 1/8 of it. Raises BadInput when it cannot be read.
    """
    with _opened(source) as (opened, media_type, header):
        if least is not None and media_type == "image/jpeg":
            turned = orientation(opened, media_type) >= _ON_ITS_SIDE
            opened.draft(None, least[::-1] if turned else least)
        opened.load()
        # Before it is turned, which leaves out what the file said of its colours.
        colours = to_srgb(opened, header.code_points)
        turn = _TURNS.get(orientation(opened, media_type))
    return colours if turn is None else colours.transpose(turn)


def upright_size(source: Path | BinaryIO) -> tuple[int, int]:
    """The (width, height) that `load` gives, as a rule without decoding. Raises BadInput as it does."""
    with _opened(source) as (opened, media_type, header):
        if header.late_metadata:
            opened.load()
        turned = orientation(opened, media_type) >= _ON_ITS_SIDE
        return opened.size[::-1] if turned else opened.size


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[tuple[Image.Image, str, Header]]:
    """The picture, opened and not decoded, its media type and header; what goes wrong within is BadInput."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
        except OSError as error:
            raise BadInput(f"this picture cannot be read: {error.strerror}") from error
        try:
            media_type, header = look(file)
            yield stack.enter_context(open_image(file, media_type, header)), media_type, header
        except HeaderError as error:
            raise BadInput(f"this picture cannot be read: {error}") from error
        except Image.DecompressionBombError as error:
            raise BadInput("this picture cannot be read: it is too large") from error
        except DECODER_ERRORS as error:
            raise BadInput("this picture cannot be read: it is damaged or incomplete") from error


def flatten(image: Image.Image, background: Colour = WHITE) -> Image.Image:
    """RGB or RGBA -> RGB, transparency on `background`."""
    if image.mode != "RGBA":
        return image
    behind = Image.new("RGBA", image.size, (*background, 255))
    return Image.alpha_composite(behind, image).convert("RGB")


def fit_size(width: int, height: int, long_side: int) -> tuple[int, int]:
    """The (width, height) with this long side and the same aspect; no side falls under 1."""
    scale = long_side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def fit(image: Image.Image, long_side: int) -> Image.Image:
    """Scale to a long side of `long_side` pixels, up or down, keeping the aspect (Lanczos)."""
    return resize(image, fit_size(image.width, image.height, long_side))


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize to (width, height) with Lanczos; the same picture when it has that size already."""
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def as_array(image: Image.Image) -> npt.NDArray[np.float32]:
    """RGB picture -> (H, W, 3) float32 in 0..1."""
    return np.asarray(image.convert("RGB"), dtype=np.float32) / np.float32(255.0)


def from_array(array: npt.NDArray[Any]) -> Image.Image:
    """(H, W, 3) floats in 0..1 -> RGB picture; values outside are clipped, NaN becomes black."""
    clean = np.clip(np.nan_to_num(array), 0.0, 1.0)
    return Image.fromarray((clean * 255.0 + 0.5).astype(np.uint8))


def contact_sheet(pictures: Sequence[Image.Image]) -> Image.Image:
    """All pictures (of one size and mode) in rows, in order."""
    side = pictures[0].width
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    gap = max(2, round(side * _GAP))
    step = side + gap
    sheet = Image.new(pictures[0].mode, (columns * step + gap, rows * step + gap))  # black, or transparent
    for place, one in enumerate(pictures):
        sheet.paste(one, (gap + place % columns * step, gap + place // columns * step))
    return sheet


def encode(image: Image.Image, kind: str, metadata: Mapping[str, Any], quality: int | None = None) -> bytes:
    """Encode as one of MEDIA_TYPES; `metadata` goes into the file as JSON (see `read_metadata`).

    `quality`: 1 to 100, of those that lose something.
    """
    out = io.BytesIO()
    quality = _QUALITIES.get(kind) if quality is None else quality
    if kind == "png":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_text("Software", "Atelier")
        chunks.add_text(METADATA_KEY, record(metadata))
        image.save(out, "PNG", pnginfo=chunks)
    elif kind == "jpeg":
        exif = exif_record(metadata)
        image.save(out, "JPEG", quality=quality, subsampling="4:4:4", optimize=True, exif=exif)
    elif kind == "webp":
        image.save(out, "WEBP", quality=quality, exif=exif_record(metadata))
    elif kind == "avif":
        # On one thread: with more, the bytes depend on how many there are.
        image.save(out, "AVIF", quality=quality, max_threads=1, exif=exif_record(metadata))
    else:
        raise ValueError(f"unknown picture format {kind!r}")
    return out.getvalue()


def record(metadata: Mapping[str, Any]) -> str:
    """The text every container carries: ASCII, as all of them want it."""
    return json.dumps(metadata, sort_keys=True)


def exif_record(metadata: Mapping[str, Any]) -> Image.Exif:
    """EXIF with `metadata` as JSON in its user comment, for the containers that have no text of their own."""
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = "Atelier"
    comment = _USER_COMMENT_ASCII + record(metadata).encode("ascii")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    return exif


def read_metadata(data: bytes) -> dict[str, Any] | None:
    """The record `encode` wrote into a file, or None where there is none."""
    with Image.open(io.BytesIO(data), formats=_OURS) as image:
        text = image.info.get(METADATA_KEY)
        if image.format in ("JPEG", "WEBP", "AVIF"):
            comment = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment, b"")
            if isinstance(comment, bytes) and comment.startswith(_USER_COMMENT_ASCII):
                text = comment[len(_USER_COMMENT_ASCII) :].decode("ascii")
    if not text:
        return None
    found: dict[str, Any] = json.loads(text)
    return found


def preview(image: Image.Image, long_side: int = 512, quality: int = 75) -> bytes:
    """A small JPEG for progress displays; smaller pictures are kept at their size."""
    if max(image.size) > long_side:
        image = image.resize(fit_size(*image.size, long_side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=quality)
    return out.getvalue()
