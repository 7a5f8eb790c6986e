"""What became of each source file: as a record and as lines to read."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import Any

from training.planets.preparing.measuring import Measured, Settings

#: A reason that more files than this share is told once.
_FEW = 5


def world_record(world: str, measured: list[Measured], settings: Settings) -> dict[str, Any]:
    """A world's part of the manifest."""
    pictures = []
    for one in measured:
        disc = one.disc
        entry: dict[str, Any] = {
            "source": one.path.name,
            "sha256": one.sha256,
            "size": list(one.size),
            "kept": one.name is not None,
            "reason": one.reason,
            "disc": None,
        }
        if disc is not None:
            entry["disc"] = {
                "x": round(disc.x, 2),
                "y": round(disc.y, 2),
                "semi_axes": [round(disc.major, 2), round(disc.minor, 2)],
                "angle_degrees": round(math.degrees(disc.angle), 2),
                "outline_seen": round(disc.support, 3),
                "from": "the world's other pictures" if one.agreed else "this picture",
            }
        if one.look is not None:
            entry["sharpness"] = round(one.look.sharpness, 6)
        if one.name is not None and one.frame is not None:
            entry["name"] = one.name
            entry["frame"] = {name: round(value, 2) for name, value in asdict(one.frame).items()}
            entry["enlarged"] = [size for size in settings.sizes if size > one.frame.side]
            entry["files"] = [f"{size}/{world}/{one.name}.png" for size in settings.sizes]
        pictures.append(entry)
    count = sum(entry["kept"] for entry in pictures)
    return {"kept": count, "left_out": len(pictures) - count, "pictures": pictures}


def lines(manifest: dict[str, Any]) -> list[str]:
    """How many pictures each world has and which files were left out why; common reasons are counted."""
    text = []
    for world, told in manifest["worlds"].items():
        text.append(f"{world}: {told['kept']} pictures, {told['left_out']} left out")
        reasons = Counter(entry["reason"] for entry in told["pictures"] if entry["reason"])
        text += [
            f"  {entry['source']}: {entry['reason']}"
            for entry in told["pictures"]
            if 0 < reasons[entry["reason"]] <= _FEW
        ]
        text += [f"  {count} files: {reason}" for reason, count in reasons.items() if count > _FEW]
    return text


def kept(manifest: dict[str, Any]) -> int:
    """How many pictures there are in all."""
    return sum(told["kept"] for told in manifest["worlds"].values())
