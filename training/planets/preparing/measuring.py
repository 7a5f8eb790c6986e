"""What is measured of each source file alone, and the settings of the whole."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engines.base import BadInput
from training.planets.preparing import find_disc, screening, sources
from training.planets.preparing.cut_disc import Frame
from training.planets.preparing.disc import Disc


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
    frame: Frame | None = None


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
    """A measurement as JSON, but for what `selection.decide` adds."""
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
