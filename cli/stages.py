"""A job that is made of jobs, in words: how far its stages are, what its jobs are, and how it goes on."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from cli import show, words
from client import Json

#: Stages that are named on one line; several of them may be under way beside each other.
_NAMED = 2
_UNDER_WAY = ("queued", "running")
_ENDED_BADLY = ("failed", "canceled")


def where(job: Json) -> str:
    """The stages that are under way and how far: `kinds 3/8`. Empty where there are none."""
    going = _going(job)
    more = [f"{len(going) - _NAMED} more"] if len(going) > _NAMED else []
    return ", ".join([*map(_how_far, going[:_NAMED]), *more])


def current(job: Json) -> str | None:
    """The name of the first stage that is under way."""
    return next((str(stage["name"]) for stage in _going(job)), None)


def table(stages: Sequence[Json]) -> Table:
    """A line for each stage."""
    made = show.table("STAGE", "STATE", "DONE", "PROGRESS", "ATTEMPTS", "RAN")
    for stage in stages:
        made.add_row(
            escape(stage["name"]),
            stage["state"],
            f"{stage['succeeded']}/{stage['jobs']}",
            f"{stage['progress']:.0%}",
            str(stage["attempts"]),
            show.short_seconds(stage["seconds"]),
        )
    return made


def lines(parts: Sequence[Json]) -> list[str]:
    """Each part, and below it what it has made or why it has not."""
    heads = [
        [part["name"], words.state(part["job"]), part["job"]["engine"], part["job"]["id"]] for part in parts
    ]
    widths = [max(map(len, column)) for column in zip(*heads, strict=True)]
    found = []
    for part, head in zip(parts, heads, strict=True):
        found.append("  ".join(f"{text:<{width}}" for text, width in zip(head, widths, strict=True)))
        found += [f"  {show.artifact(artifact)}" for artifact in part["job"]["artifacts"]]
        if part["job"].get("error"):
            found.append(f"  {words.failure(part['job'])}")
    return found


def way_on(job: Json) -> str:
    """How a job goes on that has ended badly and whose parts are partly made; else empty."""
    stages = job.get("stages") or []
    if job["state"] not in _ENDED_BADLY or not stages:
        return ""
    return (
        f"What was made is kept. `atelier retry {job['id']}` goes on where it ended,\n"
        f"`atelier parts {job['id']}` shows its parts."
    )


def _going(job: Json) -> list[Json]:
    return [stage for stage in job.get("stages") or [] if stage["state"] in _UNDER_WAY]


def _how_far(stage: Json) -> str:
    """Of one job its own progress, of several how many of them have succeeded."""
    done = f"{stage['progress']:.0%}" if stage["jobs"] == 1 else f"{stage['succeeded']}/{stage['jobs']}"
    return f"{stage['name']} {done}"
