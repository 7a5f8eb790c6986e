"""Requests about jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from client.calls.base import Call, Form, Which, get, listed, once, page, part, thing, whole
from client.errors import Json
from client.uploads import File

#: Ids in one question; the API takes no more.
BATCH = 100

Files = Sequence[tuple[str, File]]


def submit(engine: str, params: Json, files: Files, options: Json, key: str | None) -> Call[Json]:
    """A new job, or the one that this idempotency key made before."""
    body = submission(engine, params, files, options)
    return Call("POST", "/v1/jobs", thing, body=body, headers=once(key), repeatable=True)


def dry_run(engine: str, params: Json, files: Files, options: Json) -> Call[Json]:
    """What would become of such a job; nothing is kept."""
    body = submission(engine, params, files, options)
    return Call("POST", "/v1/jobs", whole, query={"dry_run": "true"}, body=body, repeatable=True)


def submission(engine: str, params: Json, files: Files, options: Json) -> Json | Form:
    """JSON, or a form where files go along."""
    if not files:
        return {"engine": engine, "params": params, **options}
    fields = {"engine": engine, "params": json.dumps(params)}
    fields |= {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in options.items()
    }
    return Form(fields, files)


def job(which: Which, wait: float = 0.0) -> Call[Json]:
    """One job; with `wait` as it is when it ends, or so many seconds later."""
    return get(f"/v1/jobs/{part(which)}", _job, wait=f"{wait:.3f}" if wait > 0 else None)


def jobs(query: Mapping[str, Any]) -> Call[Json]:
    """A page of jobs, newest first."""
    return get("/v1/jobs", page("jobs"), **query)


def jobs_by_id(ids: Sequence[str], everybodys: bool) -> Iterator[Call[list[Json]]]:
    """These jobs, a call for each BATCH of them."""
    for start in range(0, len(ids), BATCH):
        some = list(ids[start : start + BATCH])
        yield get("/v1/jobs", listed("jobs"), id=some, all="true" if everybodys else None)


def parts(which: Which, query: Mapping[str, Any]) -> Call[Json]:
    """A page of the jobs that a job has asked for, in that order."""
    return get(f"/v1/jobs/{part(which)}/parts", page("parts"), **query)


def events(which: Which, after: int) -> Call[Json]:
    """The event stream, from the event after this version on."""
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(after)} if after else {})
    return Call("GET", f"/v1/jobs/{part(which)}/events", whole, headers=headers)


def cancel(which: Which) -> Call[Json]:
    """Ask for a job to be stopped."""
    return _told(which, "cancel")


def hold(which: Which) -> Call[Json]:
    """Let a queued job wait until it is released."""
    return _told(which, "hold")


def release(which: Which) -> Call[Json]:
    """Let a held job stand in line again."""
    return _told(which, "release")


def move(which: Which, where: Json) -> Call[Json]:
    """Put a queued job somewhere else among one's own."""
    return _told(which, "move", where)


def label(which: Which, labels: Json) -> Call[Json]:
    """Other tags, other metadata."""
    return Call("PATCH", f"/v1/jobs/{part(which)}", thing, body=labels, repeatable=True)


def retry(which: Which, key: str | None) -> Call[Json]:
    """A new job like one that failed or was canceled."""
    return Call("POST", f"/v1/jobs/{part(which)}/retry", thing, headers=once(key), repeatable=True)


def again(which: Which, changes: Json, key: str | None) -> Call[Json]:
    """A new job like one that has ended, with these changes."""
    where = f"/v1/jobs/{part(which)}/again"
    return Call("POST", where, thing, body=changes, headers=once(key), repeatable=True)


def again_dry_run(which: Which, changes: Json) -> Call[Json]:
    """What would become of it."""
    where = f"/v1/jobs/{part(which)}/again"
    return Call("POST", where, whole, query={"dry_run": "true"}, body=changes, repeatable=True)


def delete(which: Which) -> Call[Json]:
    """A finished job and its results go."""
    return Call("DELETE", f"/v1/jobs/{part(which)}", whole, repeatable=True)


def archive(which: Which) -> str:
    """Where a job's results are as one ZIP."""
    return f"/v1/jobs/{part(which)}/archive"


def _job(answer: Json) -> Json:
    """A job that says how it is."""
    if not isinstance(answer["state"], str):
        raise TypeError("a state is text")
    return thing(answer)


def _told(which: Which, order: str, body: Json | None = None) -> Call[Json]:
    return Call("POST", f"/v1/jobs/{part(which)}/{order}", thing, body=body, repeatable=True)
