"""How large a picture becomes, and which part of it is kept. Numbers alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from engines.base import BadInput
from engines.cropping import Size, largest

Fit = Literal["inside", "cover", "contain", "stretch"]

#: Of a result; what the house lets in again.
MAX_PIXELS = 64_000_000
MAX_SIDE = 20_000


@dataclass(frozen=True)
class Wanted:
    """What is asked for; nothing of it leaves a picture as it is."""

    width: int | None = None
    height: int | None = None
    scale: float | None = None
    #: Width to height of what is kept.
    crop: float | None = None
    #: How width and height are both kept.
    fit: Fit = "inside"
    enlarge: bool = False


@dataclass(frozen=True)
class Plan:
    """From a picture to the result."""

    kept: Size  # of the picture, before it is scaled
    scaled: Size
    whole: Size  # with what is beside it


def planned(size: Size, wanted: Wanted) -> Plan:
    """Of a picture of this size. Raises BadInput for more than is made."""
    kept = largest(size, wanted.crop) if wanted.crop else size
    if wanted.width is not None and wanted.height is not None:
        return _checked(_in_box(kept, (wanted.width, wanted.height), wanted), "width")
    most = math.inf if wanted.enlarge else 1.0
    if wanted.scale is not None:
        factor, field = wanted.scale, "scale"
    elif wanted.width is not None:
        factor, field = min(most, wanted.width / kept[0]), "width"
    elif wanted.height is not None:
        factor, field = min(most, wanted.height / kept[1]), "height"
    else:
        return Plan(kept, kept, kept)
    scaled = _times(kept, factor)
    return _checked(Plan(kept, scaled, scaled), field)


def _in_box(kept: Size, box: Size, wanted: Wanted) -> Plan:
    """Where both sides are asked for."""
    most = math.inf if wanted.enlarge else 1.0
    if wanted.fit == "stretch":
        scaled = box if wanted.enlarge else (min(box[0], kept[0]), min(box[1], kept[1]))
        return Plan(kept, scaled, scaled)
    if wanted.fit == "cover":
        kept = largest(kept, box[0] / box[1])
        scaled = box if wanted.enlarge else _times(box, min(1.0, kept[0] / box[0], kept[1] / box[1]))
        return Plan(kept, scaled, scaled)
    scaled = _times(kept, min(most, box[0] / kept[0], box[1] / kept[1]))
    return Plan(kept, scaled, box if wanted.fit == "contain" else scaled)


def _times(size: Size, factor: float) -> Size:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _checked(plan: Plan, field: str) -> Plan:
    width, height = plan.whole
    if max(plan.whole) > MAX_SIDE or width * height > MAX_PIXELS:
        most = f"{MAX_PIXELS // 10**6} megapixels, and {MAX_SIDE:,} on a side"
        raise BadInput(f"this would be {width} x {height} pixels; at most {most}", field=field)
    return plan
