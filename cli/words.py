"""What the API says of a job, in words."""

from __future__ import annotations

from typing import Any

from cli import show

Json = dict[str, Any]

#: `queue_position` is counted up to here.
MAX_POSITION = 1000
#: What is said for the state of a job that waits for jobs of its own: its work is under way.
IN_PARTS = "in parts"
_HELD = {"owner": "on hold until you release it", "parts": "goes on when its parts are made"}


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


def state(job: Json) -> str:
    """Its state in a list. A held job is queued, and yet nothing will happen to it."""
    if (job.get("held") or {}).get("reason") == "owner":
        return "on hold"
    if in_parts(job):
        return f"{IN_PARTS} {job['progress']:.0%}"
    return f"running {job['progress']:.0%}" if job["state"] == "running" else str(job["state"])


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


def in_parts(job: Json) -> bool:
    """Whether it waits for jobs that it has asked for."""
    return bool(job["state"] == "queued" and (job.get("held") or {}).get("reason") == "parts")


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


def relations(job: Json) -> str:
    """Whose part it is, and of which job it is another try; empty for most jobs."""
    told = [f"part of {job['part_of']}" if job.get("part_of") else ""]
    told.append(f"another try of {job['retry_of']}" if job.get("retry_of") else "")
    return ", ".join(one for one in told if one)


def failure(job: Json) -> str:
    """Why a job has not succeeded; of one that is made of jobs, which of them it was."""
    error = job.get("error") or {"code": job["state"], "detail": "The job was canceled."}
    name, _, why = error["detail"].partition(": ")
    if error["code"] != "part_failed" or not why:
        return f"{error['detail']} ({error['code']})"
    return f"its part {name} did not succeed: {why} ({error['code']})"


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


def took(job: Json) -> str:
    """How long it waited and ran; of one that is made of jobs, what these took."""
    timings, stages = job["timings"], job.get("stages")
    if not stages:
        return f"queued {show.seconds(timings['queued'])}, ran {show.seconds(timings['run'])}"
    jobs, ran = sum(one["jobs"] for one in stages), sum(one["seconds"] for one in stages)
    parts = f"its {jobs} parts ran {show.seconds(ran)}" if jobs > 1 else f"its part ran {show.seconds(ran)}"
    if job["state"] != "succeeded":
        return parts
    return f"took {show.seconds(timings['queued'] + (timings['run'] or 0.0))}, {parts}"


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
    said = _HELD.get(held["reason"])
    return said if said is not None else f"held: {held['detail']}"


def _place(position: int | None) -> str:
    if position is None:
        return ""
    return f"position {position}" if position < MAX_POSITION else f"position {MAX_POSITION} or later"
