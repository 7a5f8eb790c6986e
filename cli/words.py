"""What the API says of a job, in words."""

from __future__ import annotations

from typing import Any

from cli import show

Json = dict[str, Any]

#: `queue_position` is counted up to here.
MAX_POSITION = 1000


def about(seconds: float) -> str:
    """A forecast's seconds, no more exact than it is: `40 s`, `2 min`, `3 h`."""
    if seconds < 10:
        return f"{max(round(seconds), 1)} s"
    if seconds < 90:
        return f"{5 * round(seconds / 5)} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    if seconds < 48 * 3600:
        return f"{round(seconds / 3600)} h"
    return f"{round(seconds / 86400)} days"


def outlook(job: Json) -> str:
    """Where a job stands that waits or runs (or would, after a dry run) and when it will be done.

    Empty for a finished one, and where nothing can be said.
    """
    forecast = job.get("forecast") or {}
    parts = [_held(job.get("held")), _place(job.get("queue_position"))]
    if forecast.get("servable") is False:
        parts.append(f"no live worker can take it: {forecast['reason']}")
    starts, ends = forecast.get("starts_in"), forecast.get("ends_in")
    if starts is not None and job.get("state") != "running":
        parts.append(f"starts in about {about(starts)}" if starts else "starts at once")
    if ends is not None:
        parts.append(f"ends in about {about(ends)}")
    return ", ".join(part for part in parts if part)


def treatment(job: Json) -> str:
    """What was asked for besides the parameters; empty for an ordinary job."""
    parts = [f"{job['priority']} priority" if job["priority"] != "normal" else ""]
    if job.get("start_by"):
        parts.append(f"to start by {show.moment(job['start_by'])}")
    if job.get("timeout"):
        parts.append(f"{show.seconds(job['timeout'])} an attempt at most")
    if job.get("webhook"):
        parts.append(f"webhook to {job['webhook']['url']} ({', '.join(job['webhook']['events'])})")
    return ", ".join(part for part in parts if part)


def labels(job: Json) -> str:
    """Its owner's labels; empty where it has none."""
    entries = [f"{name}={value}" for name, value in (job.get("metadata") or {}).items()]
    parts = [f"tags {', '.join(job['tags'])}" if job.get("tags") else "", ", ".join(entries)]
    return "; ".join(part for part in parts if part)


def place(job: Json) -> str:
    """What it ran on, to go behind other facts; of an unknown device no word."""
    if job.get("device"):
        return f", on {job['device']}"
    return ", never started" if job["attempt"] == 0 and job["state"] in ("failed", "canceled") else ""


def used(job: Json) -> str:
    """What a job has taken so far; empty before its first attempt has ended."""
    usage = job["usage"]
    if not usage["run_seconds"]:
        return ""
    parts = [f"used {show.seconds(usage['device_seconds'])} of a device"]
    others = usage["batch_size"] - 1
    if others:
        parts.append(f"ran {show.seconds(usage['run_seconds'])} together with {others} more")
    if usage["peak_memory"]:
        parts.append(f"{show.size(usage['peak_memory'])} at its peak")
    return ", ".join(parts)


def _held(held: Json | None) -> str:
    if held is None:
        return ""
    return "on hold until you release it" if held["reason"] == "owner" else f"held: {held['detail']}"


def _place(position: int | None) -> str:
    if position is None:
        return ""
    return f"position {position}" if position < MAX_POSITION else f"position {MAX_POSITION} or later"
