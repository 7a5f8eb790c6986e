"""Measures each source file, then decides for a whole world which are kept, under which name and frame."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engines.base import BadInput
from scripts.planets import find_disc, screening, sources
from scripts.planets.cut_disc import Frame, frame
from scripts.planets.disc import Disc, consensus

#: A disc taken from the world's other pictures must hold what stands out, but for this part of its radius.
_SLACK = 0.05
#: A body may reach over the picture's border by this part of its radius.
_CUT_OFF = 0.02


@dataclass(frozen=True)
class Settings:
    """What decides the result; kept with it."""

    sizes: tuple[int, ...] = (64, 128, 256, 512)
    framing: str = "auto"
    #: On each side of the disc where the frame is made to fit it, as a part of its long axis.
    margin: float = 0.03
    #: A picture less sharp than this part of its world's median is blurred; 0 keeps all.
    blur: float = 0.05
    #: Pictures that differ by less than this many levels of 255 are the same; 0 keeps all.
    duplicate: float = 0.6
    #: What to do with captions across the body: "drop" or "keep".
    captions: str = "drop"
    #: Bodies of a shorter diameter, in pixels, are too small.
    least: int = 48
    max_pixels: int = 100_000_000

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "sizes": list(self.sizes)}


@dataclass
class Measured:
    """One source file."""

    path: Path
    sha256: str = ""
    size: tuple[int, int] = (0, 0)
    disc: Disc | None = None
    seen: tuple[float, float, float, float] | None = None
    covered: bool = False
    look: screening.Look | None = None
    #: Why it is not kept.
    reason: str | None = None
    #: The disc was taken from the world's other pictures.
    agreed: bool = False
    name: str | None = None
    frame: Frame | None = field(default=None)


def stamp(path: Path) -> str:
    """Changes when a file changes: its name, length and time."""
    status = path.stat()
    return f"{path.name}:{status.st_size}:{status.st_mtime_ns}"


def measure(path: Path, max_pixels: int) -> Measured:
    """Read one file and find its disc; a file that cannot be read has a `reason`."""
    found = Measured(path)
    try:
        found.sha256 = sources.digest(path)
        image = sources.read(path, max_pixels)
    except (OSError, BadInput) as error:
        found.reason = _one_line(error, path)
        return found
    found.size = image.size
    seen = find_disc.find(image)
    found.disc, found.seen, found.covered = seen.disc, seen.seen, seen.covered
    if found.disc is not None and found.disc.sure:
        found.look = screening.look(screening.thumbnail(image, found.disc))
    return found


def _one_line(error: Exception, path: Path) -> str:
    return " ".join(str(error).replace(str(path), path.name).split())[:200]


def to_record(measured: Measured) -> dict[str, Any]:
    """A measurement as JSON, but for what `decide` adds."""
    return {
        "sha256": measured.sha256,
        "size": list(measured.size),
        "disc": asdict(measured.disc) if measured.disc else None,
        "seen": list(measured.seen) if measured.seen else None,
        "covered": measured.covered,
        "look": asdict(measured.look) if measured.look else None,
        "reason": measured.reason,
    }


def of_record(path: Path, record: dict[str, Any]) -> Measured:
    """The reverse of `to_record`."""
    (width, height), look = record["size"], record["look"]
    return Measured(
        path,
        record["sha256"],
        (width, height),
        Disc(**record["disc"]) if record["disc"] else None,
        tuple(record["seen"]) if record["seen"] else None,
        record["covered"],
        screening.Look(tuple(look["cells"]), look["sharpness"]) if look else None,
        record["reason"],
    )


def decide(world: list[Measured], settings: Settings) -> None:
    """Fill in `reason`, or `name` and `frame`, for all files of a world, sorted by name.

    Pictures that are unsure take the disc the others of their size agree on; then what is cut off, too
    small, covered, blurred or there twice is given its reason; the rest is numbered.
    """
    for one in world:
        if one.reason is None:
            _settle_disc(one, world, settings)
    _drop_blurred([one for one in world if one.reason is None], settings)
    _drop_duplicates([one for one in world if one.reason is None], settings)
    kept = [one for one in world if one.reason is None]
    digits = max(3, len(str(len(kept) - 1)))
    largest: dict[tuple[int, int], float] = {}
    for one in kept:
        largest[one.size] = max(largest.get(one.size, 0.0), _sure(one).major)
    for number, one in enumerate(kept):
        one.name = f"{number:0{digits}}"
        one.frame = frame(_sure(one), one.size, settings.framing, settings.margin, largest[one.size])


def _sure(one: Measured) -> Disc:
    if one.disc is None:
        raise ValueError(f"{one.path} was kept without a disc")
    return one.disc


def _settle_disc(one: Measured, world: list[Measured], settings: Settings) -> None:
    if one.disc is None or not one.disc.sure:
        if one.seen is None:
            one.reason = "nothing stands out from the background"
            return
        # An agreed disc is not asked for its opinion again: only what was seen counts.
        same = [other.disc for other in world if other.size == one.size and not other.agreed]
        agreed = consensus(same)
        if agreed is None or not _holds(agreed, one.seen):
            one.reason = (
                "no round body found"
                if one.disc is None
                else f"outline unclear ({one.disc.support:.0%} seen)"
            )
            return
        one.disc, one.agreed = agreed, True
    if not one.disc.fits(*one.size, slack=_CUT_OFF * one.disc.major):
        one.reason = "cut off by the border of the picture"
    elif 2 * one.disc.minor < settings.least:
        one.reason = f"too small: {2 * one.disc.minor:.0f} pixels across"
    elif one.covered and settings.captions == "drop":
        one.reason = "something lies across the body"
    elif one.look is None:
        image = sources.read(one.path, settings.max_pixels)
        one.look = screening.look(screening.thumbnail(image, one.disc))


def _holds(disc: Disc, seen: tuple[float, float, float, float]) -> bool:
    """Whether the four sides of a box lie within a disc's own box, with some slack."""
    slack = _SLACK * disc.major
    box = replace(disc, x=disc.x - seen[0] + slack, y=disc.y - seen[1] + slack)
    cos, sin = math.cos(disc.angle), math.sin(disc.angle)
    half_w = math.hypot(disc.major * cos, disc.minor * sin)
    half_h = math.hypot(disc.major * sin, disc.minor * cos)
    return (
        box.x - half_w <= 2 * slack
        and box.y - half_h <= 2 * slack
        and seen[2] <= disc.x + half_w + slack
        and seen[3] <= disc.y + half_h + slack
    )


def _drop_blurred(kept: list[Measured], settings: Settings) -> None:
    sharpness = [one.look.sharpness for one in kept if one.look is not None]
    if len(sharpness) < 3:
        return  # no world to compare with
    least = settings.blur * float(np.median(sharpness))
    for one in kept:
        if one.look is not None and one.look.sharpness < least:
            one.reason = f"blurred: {one.look.sharpness / least * settings.blur:.3f} of the world's median"


def _drop_duplicates(kept: list[Measured], settings: Settings) -> None:
    if settings.duplicate <= 0:
        return

    @lru_cache(maxsize=256)
    def thumbnail(index: int) -> Image.Image:
        image = sources.read(kept[index].path, settings.max_pixels)
        return screening.thumbnail(image, _sure(kept[index]))

    # Clearly larger ones first, so that the better of two copies stays; else by name.
    order = sorted(range(len(kept)), key=lambda i: (-round(math.log(_sure(kept[i]).major, 1.3)), i))
    stay: list[int] = []
    for index in order:
        twin = _twin(index, stay, kept, thumbnail, settings.duplicate)
        if twin is None:
            stay.append(index)
        else:
            kept[index].reason = f"the same as {kept[twin].path.name}"


def _twin(
    index: int,
    others: list[int],
    kept: list[Measured],
    thumbnail: Callable[[int], Image.Image],
    level: float,
) -> int | None:
    mine = kept[index].look
    for other in others:
        theirs = kept[other].look
        if mine is None or theirs is None or not screening.may_be_same(theirs, mine, level):
            continue
        if screening.difference(thumbnail(other), thumbnail(index)) < level:
            return other
    return None
