"""The pictures somebody collected: which there are, and each one as upright RGB on black."""

from __future__ import annotations

import hashlib
import re
import warnings
from pathlib import Path

from PIL import Image

from doors.image_facts import HeaderError
from doors.image_files import look
from doors.image_types import EXTENSIONS
from engines.base import BadInput
from engines.images import BLACK, load_rgb

ENDINGS = frozenset({*EXTENSIONS.values(), ".heif", ".jpeg", ".tiff"})

_WORLD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class BadSource(Exception):
    """The folder cannot be read as pictures of worlds; the message says why."""


def collect(source: Path, world: str | None) -> dict[str, list[Path]]:
    """The picture files of each world, sorted by name: `source/<world>/*`, or `source/*` for one world.

    A flat folder's world is `world`, else the folder's own name. Hidden files and other endings are passed
    over. Raises BadSource when there is no picture, when there are pictures on both levels, when `world` is
    given for a folder of worlds, or when a world's name is not letters, digits, `-` and `_`.
    """
    if not source.is_dir():
        raise BadSource(f"{source} is not a folder")
    flat = _pictures(source)
    folders = sorted(entry for entry in source.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    worlds = {folder.name: files for folder in folders if (files := _pictures(folder))}
    if flat and worlds:
        raise BadSource(f"{source} has pictures of its own and in folders ({', '.join(worlds)}); use one way")
    if worlds and world is not None:
        raise BadSource(f"--world names the world of a flat folder; {source} has a folder for each world")
    if flat:
        worlds = {world if world is not None else source.resolve().name: flat}
    if not worlds:
        raise BadSource(f"no pictures in {source} or its folders ({', '.join(sorted(ENDINGS))})")
    for name in worlds:
        if not _WORLD.fullmatch(name):
            raise BadSource(f"{name!r} is no name for a world: letters, digits, - and _ only")
    return worlds


def _pictures(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in ENDINGS and not file.name.startswith(".") and file.is_file()
    )


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(path: Path, max_pixels: int) -> Image.Image:
    """The picture as upright 8-bit RGB, its transparent parts black.

    Raises BadInput for a file that is no picture, is damaged or cut short, or has more than `max_pixels`
    pixels (which is known before it is decoded).
    """
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `max_pixels` is the limit
            _, header = look(file)
            if header.width * header.height > max_pixels:
                raise BadInput(f"too large: {header.width} x {header.height} pixels")
            return load_rgb(file, BLACK)
    except (OSError, HeaderError) as error:
        raise BadInput(f"cannot be read: {error}") from error
