"""Pictures as Telegram keeps them: a photo in several sizes, all JPEG."""

from __future__ import annotations

import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from tests.telegram.errors import bad_request

#: The sides of the boxes into which a photo is fitted, smallest first. A larger photo loses the rest.
SIDES = (90, 320, 800, 1280)
THUMBNAIL_SIDE = 320

LARGEST_SUM = 10_000
LARGEST_RATIO = 20

Size = tuple[int, int]


def measure(data: bytes) -> Size | None:
    """Width and height as shown, read from the header; None if it is no picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as picture:
                turned = picture.getexif().get(0x0112, 1) >= 5
                return (picture.height, picture.width) if turned else (picture.width, picture.height)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError):
        return None


def photo_sizes(data: bytes) -> list[Size]:
    """The sizes of a photo, smallest first. Raises ApiError (400) for what cannot be one."""
    size = measure(data)
    if size is None:
        raise bad_request("IMAGE_PROCESS_FAILED")
    if sum(size) > LARGEST_SUM or max(size) > LARGEST_RATIO * min(size):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    sizes: list[Size] = []
    for side in SIDES:
        fitted = fit(size, side)
        sizes.append(fitted)
        if fitted == size:
            break
    return sizes


def fit(size: Size, side: int) -> Size:
    """Into a box of so many pixels, never larger than it was."""
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def jpeg(data: bytes, size: Size) -> bytes:
    """The picture in a size, as JPEG without its EXIF, transparency on white."""
    with Image.open(io.BytesIO(data)) as opened:
        picture = ImageOps.exif_transpose(opened)
        if "A" in picture.getbands() or "transparency" in picture.info:
            picture = picture.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture)
        small = picture.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=87)
    return out.getvalue()
