"""Decides for a whole world which of its measured pictures are kept, under which name and frame."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
from PIL import Image

from training.planets.preparing import screening, sources
from training.planets.preparing.cut_disc import frame
from training.planets.preparing.disc import Disc, consensus
from training.planets.preparing.measuring import Measured, Settings

#: A disc taken from the world's other pictures must hold what stands out, but for this part of its radius.
_SLACK = 0.05
#: A world with a disc of a smaller ratio of axes is not one of balls.
_ROUND = 0.85
#: A body may reach over the picture's border by this part of its radius.
_CUT_OFF = 0.02


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
    lumpy = any(_sure(one).ratio < _ROUND for one in kept)
    for one in kept:
        largest[one.size] = max(largest.get(one.size, 0.0), _sure(one).major)
    for number, one in enumerate(kept):
        one.name = f"{number:0{digits}}"
        major = largest[one.size]
        one.frame = frame(_sure(one), one.size, settings.framing, settings.margin, major, not lumpy)


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
    cells = np.array([one.look.cells for one in kept if one.look is not None])  # (N, 64)
    stay: list[int] = []
    for index in order:
        near = screening.may_be_same(cells[stay], cells[index], settings.duplicate)
        twins = (stay[at] for at in np.flatnonzero(near))
        # Two turns of a banded planet are near as well; only pixels tell them apart.
        same = (
            twin
            for twin in twins
            if screening.difference(thumbnail(twin), thumbnail(index)) < settings.duplicate
        )
        twin = next(same, None)
        if twin is None:
            stay.append(index)
        else:
            kept[index].reason = f"the same as {kept[twin].path.name}"
