"""What a job's message says while the job is under way, and at an end without a result."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from bot import callbacks, stages
from bot.results import buttons
from bot.screens import Button
from bot.texts import bar, clean, clip
from bot.words import Html, Words

Json = dict[str, Any]

_MESSAGE_LENGTH = 80
_DETAIL_LENGTH = 400
#: The API counts no further.
_COUNTED = 1000


@dataclass(frozen=True)
class View:
    """A text and its buttons."""

    text: Html
    rows: list[list[Button]]

    @property
    def mark(self) -> str:
        """Equal for what looks equal."""
        said = repr((str(self.text), self.rows)).encode()
        return hashlib.blake2s(said, digest_size=8).hexdigest()


def under_way(job: Json, title: str, words: Words) -> View:
    """Of a queued or running job; `title` is the engine's."""
    if job["cancel_requested"]:
        return View(words("job.canceling", engine=title), [])
    lines = _running(job, title, words) if job["state"] == "running" else _queued(job, title, words)
    rows = [[Button(words.plain("button.cancel"), callbacks.pack(callbacks.CANCEL, job["id"]))]]
    return View(Html("\n".join([*lines, *stages.lines(job, words), *_forecast(job, words)])), rows)


def ended(job: Json, engine: Json, words: Words) -> View:
    """Of a job that failed or was canceled."""
    said = [_end(job, engine["title"], words), *stages.lines(job, words)]
    return View(Html("\n".join(said)), buttons(job, engine, words))


def _end(job: Json, title: str, words: Words) -> Html:
    if job["state"] == "canceled":
        return words("job.canceled", engine=title)
    error = job["error"] or {"code": "other", "detail": ""}
    key = f"failure.{error['code']}"
    detail = clip(clean(error["detail"]), _DETAIL_LENGTH)
    reason = words(key if words.knows(key) else "failure.other", detail=detail)
    return words("job.failed", engine=title, reason=reason)


def gone(job: Json | None, words: Words) -> View:
    """Of a job that was deleted (None), or whose results were."""
    return View(words("error.job_gone" if job is None else "job.expired"), [])


def _queued(job: Json, title: str, words: Words) -> list[Html]:
    if stages.in_parts(job):
        done = job["progress"]
        return [words("job.parts", engine=title, bar=bar(done), percent=int(100 * done))]
    position, held = job["queue_position"], job["held"]
    if held is not None:
        return [words("job.held" if held["reason"] == "owner" else "job.behind", engine=title)]
    if position is None:
        return [words("job.queued_again" if job["attempt"] else "job.queued_unknown", engine=title)]
    far = position >= _COUNTED
    return [words("job.queued_far" if far else "job.queued", engine=title, position=position)]


def _running(job: Json, title: str, words: Words) -> list[Html]:
    done = job["progress"]
    lines = [words("job.running", engine=title, bar=bar(done), percent=int(100 * done))]
    if message := clip(clean(job["message"]), _MESSAGE_LENGTH):
        lines.append(words("job.message", message=message))
    return lines


def _forecast(job: Json, words: Words) -> list[Html]:
    forecast = job["forecast"] or {}
    if forecast.get("servable") is False:
        return [words("job.no_worker")]
    lines = []
    for name in ("starts", "ends"):
        seconds = forecast.get(f"{name}_in")
        if seconds is not None and (name == "ends" or job["state"] == "queued"):
            lines.append(words(f"job.{name}", eta=words.duration(seconds)))
    return lines
