"""Small datasets of pictures, and networks that train on them in a moment."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

#: Options of a network that trains in a moment.
TINY = ["--batch", "4", "--channel-base", "128", "--channel-max", "8", "--latent", "8"]

Maker = Callable[[dict[str, bytes]], Path]


def picture(value: int, side: int = 16, mode: str = "RGB", width: int | None = None) -> Image.Image:
    """A ramp from left to right, other for each value."""
    ramp = (np.arange(width or side)[None, :].repeat(side, 0) + value) % 256
    return Image.fromarray(ramp.astype(np.uint8)).convert(mode)


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def zipped(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def unpacked(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


FILES = {f"{kind}/{number}.png": png(picture(10 * number)) for kind in "ab" for number in range(3)}
