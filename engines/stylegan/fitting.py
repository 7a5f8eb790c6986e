"""What a network can draw, by the facts that are known of it without opening it. No torch, no numpy here.

Asked twice: when a job is submitted, so that it is refused at once, and by the engine, which knows what an
older conversion did not store. Each function raises BadInput, with the parameter that it is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from engines.base import BadInput

#: The coarsest and the finest resolution of each range of styles (Karras et al. 2019, section 3.1).
RANGES = {"coarse": (4, 8), "middle": (16, 32), "fine": (64, 1 << 30)}

#: Pixels of a film that consists of whole pictures (WebP, ZIP): it is large, and so are its checkpoints.
_KEPT_PIXELS = 2**28
#: Pixels of the pictures of a contact sheet. Pillow warns of files a third larger, and WebP has a limit too.
_SHEET_PIXELS = 2**26
#: Letters of all names of classes together that are kept as a fact; they come with every list of networks.
_NAMES = 8192
#: Names of classes in a message.
_TOLD = 20


@dataclass(frozen=True)
class Facts:
    """A network as jobs see it."""

    resolution: int
    channels: int
    #: How many; 0: it has none.
    classes: int
    z_dim: int
    w_dim: int
    #: In the order of their numbers; none where they have no names, None where nobody knows.
    class_names: tuple[str, ...] | None = None
    #: Whether it keeps an average to truncate towards; None where nobody knows.
    has_average: bool | None = None

    @classmethod
    def of(cls, known: Mapping[str, Any]) -> Facts:
        """What `as_dict` gave, or an earlier version of it, which knew less."""
        named = {one.name: known[one.name] for one in fields(cls) if one.name in known}
        names = named.pop("class_names", None)
        return cls(**named, class_names=None if names is None else tuple(names))

    @classmethod
    def read(cls, config: Mapping[str, Any], class_names: Sequence[str]) -> Facts:
        """From a configuration (`GeneratorConfig`, as it stands in a file) and the names in its header."""
        return cls(
            resolution=config["img_resolution"],
            channels=config["img_channels"],
            classes=config["c_dim"],
            z_dim=config["z_dim"],
            w_dim=config["w_dim"],
            class_names=tuple(class_names),
            has_average=config["w_avg_beta"] is not None,
        )

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it. Names without end are left out: the engine reads them from the file."""
        names = self.class_names
        kept = names is not None and sum(map(len, names)) <= _NAMES
        return asdict(self) | {"class_names": list(names) if names is not None and kept else None}


def class_label(wanted: int | str | None, facts: Facts) -> int | str | None:
    """A class by its number or its name, spelled as the network does: `Mars` finds `mars`."""
    if wanted is None:
        return None
    if not facts.classes:
        raise BadInput("this network has no classes", field="class")
    names = facts.class_names
    if isinstance(wanted, str):
        if names is None or wanted in names:
            return wanted
        alike = [name for name in names if name.casefold() == wanted.casefold()]
        if len(alike) == 1:
            return alike[0]
        if not (wanted.isascii() and wanted.isdigit()):
            raise BadInput(f"this network has no class {wanted!r}; {_known(names)}", field="class")
    if int(wanted) >= facts.classes:
        message = f"this network has the classes 0 to {facts.classes - 1}, not {wanted}"
        raise BadInput(message, field="class")
    return wanted


def check_points(widths: Iterable[int], facts: Facts) -> None:
    """Whether saved points, of so many numbers each, are this network's."""
    if any(width != facts.w_dim for width in widths):
        message = f"the w of this network has {facts.w_dim} numbers; a point has another count"
        raise BadInput(message, field="points")


def check_truncation(psi: float, facts: Facts) -> None:
    """Whether there is something to truncate towards."""
    if psi != 1.0 and facts.has_average is False:
        message = "this network keeps no average to truncate towards: truncation must be 1"
        raise BadInput(message, field="truncation")


def check_mix(ranges: Iterable[str], facts: Facts) -> None:
    """Whether its pictures are large enough for these ranges of styles."""
    for name in ranges:
        if facts.resolution < RANGES[name][0]:
            message = f"pictures of {facts.resolution} pixels have no {name} styles to mix"
            raise BadInput(message, field="mix")


def check_colours(kind: str, field: str, facts: Facts) -> None:
    """Whether files of this kind can have its colours; `field` asked for it."""
    if facts.channels == 4 and kind in ("mp4", "jpeg"):
        message = "this network's pictures are transparent, which jpeg and mp4 cannot be"
        raise BadInput(message, field=field)


def check_sheet(pictures: int, facts: Facts) -> None:
    """Whether a contact sheet has room for them."""
    if pictures * facts.resolution**2 > _SHEET_PIXELS:
        most = _SHEET_PIXELS // facts.resolution**2
        message = f"a sheet has room for {most} pictures of {facts.resolution} pixels, not for {pictures}"
        raise BadInput(message, field="grid")


def check_film(kind: str, frames: int, facts: Facts) -> None:
    """Whether a film of so many frames can be made of whole pictures."""
    if kind != "mp4" and frames * facts.resolution**2 > _KEPT_PIXELS:
        raise BadInput(
            f"{frames} frames of {facts.resolution} pixels are too many for {kind}; "
            "mp4 takes them, or ask for fewer frames",
            field="walk",
        )


def _known(names: Sequence[str]) -> str:
    if not names:
        return "its classes have no names"
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return f"it has {', '.join(names[:_TOLD])}{more}"
