"""Requests about schedules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from client.calls.base import Call, Which, get, once, page, part, thing, whole
from client.errors import Json


def add(body: Json) -> Call[Json]:
    """A new one. Twice would be two."""
    return Call("POST", "/v1/schedules", thing, body=body)


def dry_run(body: Json) -> Call[list[str]]:
    """When such a one would be due; nothing is kept."""
    return Call("POST", "/v1/schedules", _upcoming, query={"dry_run": "true"}, body=body, repeatable=True)


def schedule(which: Which) -> Call[Json]:
    """One of them."""
    return get(_path(which), thing)


def schedules(query: Mapping[str, Any]) -> Call[Json]:
    """A page of them, newest first."""
    return get("/v1/schedules", page("schedules"), **query)


def change(which: Which, changes: Json) -> Call[Json]:
    """Other times, another job."""
    return Call("PATCH", _path(which), thing, body=changes, repeatable=True)


def pause(which: Which) -> Call[Json]:
    """Let it make nothing until it is resumed."""
    return Call("POST", f"{_path(which)}/pause", thing, repeatable=True)


def resume(which: Which) -> Call[Json]:
    """Let it go on."""
    return Call("POST", f"{_path(which)}/resume", thing, repeatable=True)


def run(which: Which, key: str | None) -> Call[Json]:
    """A job of it now."""
    return Call("POST", f"{_path(which)}/run", thing, headers=once(key), repeatable=True)


def delete(which: Which) -> Call[Json]:
    """It goes; its jobs stay."""
    return Call("DELETE", _path(which), whole, repeatable=True)


def _upcoming(answer: Json) -> list[str]:
    found = answer["upcoming"]
    if not isinstance(found, list):
        raise TypeError("times are a list")
    return found


def _path(which: Which) -> str:
    return f"/v1/schedules/{part(which)}"
