"""Pictures in and out for every engine: any picture -> upright RGB, and RGB -> a file with metadata.

Pillow and numpy only, so that a light process may use it as well.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin

from engines.base import BadInput

#: The key of our record in a PNG's text chunks; a JPEG and a WebP carry the same JSON as EXIF user comment.
METADATA_KEY = "atelier"

MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}

#: The file extension of each kind.
SUFFIXES = {"png": "png", "jpeg": "jpg", "webp": "webp"}

_JPEG_QUALITY = 93
_WEBP_QUALITY = 92
#: Space between the pictures of a contact sheet, as a part of one's side.
_GAP = 1 / 16
_USER_COMMENT_ASCII = b"ASCII\x00\x00\x00"  # EXIF 2.32, table 9: the character code before a UserComment


def load_rgb(path: Path) -> Image.Image:
    """Read a picture as upright 8-bit sRGB, its first frame where it has several.

    EXIF orientation is applied, an embedded colour profile is converted to sRGB, 16-bit and float greys are
    scaled (not clipped), and transparency is flattened on white. Raises BadInput when it cannot be read.
    """
    try:
        with Image.open(path) as opened:
            opened.load()
            upright = ImageOps.exif_transpose(opened)
            return _flatten(_to_srgb(upright))
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise BadInput(f"this picture cannot be read: {error}") from error


def _to_srgb(image: Image.Image) -> Image.Image:
    """Convert through the embedded ICC profile, where there is a usable one."""
    profile = image.info.get("icc_profile")
    if image.mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        return (
            ImageCms.profileToProfile(image, lab, ImageCms.createProfile("sRGB"), outputMode="RGB") or image
        )
    if not profile or image.mode not in ("RGB", "CMYK"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError):
        return image  # a broken profile: viewers show such a file as if it had none, and so do we


def _flatten(image: Image.Image) -> Image.Image:
    """Any mode -> RGB, transparency on white."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _scale_to_eight_bits(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _scale_to_eight_bits(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float greys: Pillow's own conversion would clip them at 255."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    top = max(float(values.max(initial=0.0)), 1.0) if image.mode == "F" else 65535.0
    return Image.fromarray(np.clip(values / top * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8))


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


def encode(image: Image.Image, kind: str, metadata: Mapping[str, Any]) -> bytes:
    """Encode as "png", "jpeg" or "webp"; `metadata` goes into the file as JSON (see `read_metadata`)."""
    out = io.BytesIO()
    if kind == "png":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_text("Software", "Atelier")
        chunks.add_text(METADATA_KEY, record(metadata))
        image.save(out, "PNG", pnginfo=chunks)
    elif kind == "jpeg":
        exif = exif_record(metadata)
        image.save(out, "JPEG", quality=_JPEG_QUALITY, subsampling="4:4:4", optimize=True, exif=exif)
    elif kind == "webp":
        image.save(out, "WEBP", quality=_WEBP_QUALITY, exif=exif_record(metadata))
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
    with Image.open(io.BytesIO(data)) as image:
        text = image.info.get(METADATA_KEY)
        if image.format in ("JPEG", "WEBP"):
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
