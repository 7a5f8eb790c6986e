"""The stages of a job that is made of jobs, as lines of its message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.texts import clean, clip
from bot.words import Html, Words

Json = dict[str, Any]

#: Stages on a message, and UTF-16 code units of a name: with the rest they fit beside a picture.
MOST = 10
_NAME_LENGTH = 32
_ICONS = {"queued": "⏳", "running": "🎨", "succeeded": "✅", "failed": "❌", "canceled": "✖️"}
_LEFT_OUT = Html("…")


def in_parts(job: Json) -> bool:
    """Whether it waits for jobs that it has asked for: its work is under way."""
    return job["state"] == "queued" and job["held"] is not None and job["held"]["reason"] == "parts"


def lines(job: Json, words: Words) -> list[Html]:
    """A line for each stage; of very many, those around the first that is not made."""
    stages = job["stages"]
    start = _start(stages)
    shown = [_line(stage, words) for stage in stages[start : start + MOST]]
    before = [_LEFT_OUT] if start else []
    return [*before, *shown, *([_LEFT_OUT] if start + MOST < len(stages) else [])]


def _start(stages: Sequence[Json]) -> int:
    first = next((n for n, stage in enumerate(stages) if stage["state"] != "succeeded"), len(stages))
    return max(min(first - 1, len(stages) - MOST), 0)


def _line(stage: Json, words: Words) -> Html:
    name, icon = clip(clean(stage["name"]), _NAME_LENGTH), _ICONS.get(stage["state"], "•")
    if stage["jobs"] == 1 and stage["state"] == "running":
        return words("job.stage_alone", icon=icon, stage=name, percent=int(100 * stage["progress"]))
    return words("job.stage", icon=icon, stage=name, done=stage["succeeded"], jobs=stage["jobs"])
