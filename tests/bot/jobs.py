"""Jobs and engines as the API shows them, as far as the bot reads them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

ECHO: Json = {
    "name": "echo",
    "title": "Echo",
    "description": "Says it again.",
    "params_schema": {
        "type": "object",
        "properties": {
            "seed": {"type": "integer", "x-ui": {"group": "result", "role": "seed"}},
            "text": {"type": "string"},
        },
    },
    "files": {},
    "produces": ["text/plain"],
}


def job_id(number: int = 1) -> str:
    return f"job_{number:032x}"


def job(number: int = 1, state: str = "queued", **more: Any) -> Json:
    """A job in this state."""
    plain: Json = {
        "id": job_id(number),
        "engine": "echo",
        "state": state,
        "queue_position": 3 if state == "queued" else None,
        "held": None,
        "forecast": {"servable": True, "reason": None, "starts_in": 20.0, "ends_in": 40.0},
        "progress": 0.0,
        "message": "",
        "preview_url": None,
        "cancel_requested": False,
        "attempt": 0 if state == "queued" else 1,
        "params": {"text": "hello"},
        "seed": 7,
        "timings": {"queued": 1.0, "run": None if state == "queued" else 4.0},
        "stages": [],
        "artifacts": [],
        "data_removed": False,
        "error": None,
        "version": 1,
    }
    return plain | more


def artifact(name: str, media_type: str, size: int = 1000, **more: Any) -> Json:
    """A file of a result."""
    sides = (
        {"width": 512, "height": 512} if media_type.startswith("image/") else {"width": None, "height": None}
    )
    url = f"/v1/files/art_{name}/content?expires=1&signature=x"
    return {"name": name, "media_type": media_type, "size": size, "meta": {}, "url": url} | sides | more


def png(name: str = "planet.png", **more: Any) -> Json:
    """A picture."""
    return artifact(name, more.pop("media_type", "image/png"), **more)


def stage(name: str, state: str = "running", jobs: int = 8, succeeded: int = 3, **more: Any) -> Json:
    """A stage of a job that is made of jobs."""
    return {"name": name, "state": state, "jobs": jobs, "succeeded": succeeded, "progress": 0.4} | more


def chain(*its: Json, number: int = 1, state: str = "queued", **more: Any) -> Json:
    """A job that waits for jobs of its own, or what became of it."""
    held = {"reason": "parts", "detail": ""} if state == "queued" else None
    plain = {"stages": list(its), "held": held, "queue_position": None, "attempt": 1, "progress": 0.48}
    return job(number, state, **(plain | more))
