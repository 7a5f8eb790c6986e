"""Where a reader of a job's events is, and what it asks for next. Knows no connection.

The event stream is read, and taken up where it broke. When it breaks again and again without a word (a proxy
that buffers, say), or the server holds as many streams as it may, the job is polled.
"""

from __future__ import annotations

import json
from typing import Any

from client.calls import jobs as calls
from client.calls.base import Call, Which
from client.errors import ApiError, Json, NotAtelier, Refused
from client.patience import Patience
from client.sse import Message

#: In one of these a job changes no more.
FINAL = frozenset({"succeeded", "failed", "canceled"})
#: The server sends a comment at least each 15 seconds; more silence than this is a dead connection.
SILENCE_SECONDS = 45.0
#: Streams that broke without a word before the job is polled instead.
BROKEN_STREAMS = 3
POLL_SECONDS = 1.0
#: Longer than this nobody waits, whatever the server says.
LONGEST_SECONDS = 30.0


class Following:
    """One reader of one job's events."""

    def __init__(self, which: Which, after: int = 0) -> None:
        self._which = which
        self._last = after
        self._broken = 0
        self._patience = Patience()
        self._pause = POLL_SECONDS
        #: Whether the last event has come.
        self.over = False

    @property
    def streams(self) -> bool:
        """Whether it is the event stream that is asked for next."""
        return self._broken < BROKEN_STREAMS

    def stream(self) -> Call[Json]:
        """The request for it."""
        return calls.events(self._which, self._last)

    def poll(self) -> Call[Json]:
        """The request for the job instead."""
        return calls.job(self._which)

    def alive(self) -> None:
        """The server said something."""
        self._patience.answered()
        if self.streams:
            self._broken = 0

    def told(self, milliseconds: int) -> None:
        """The server said how long to stay away before the next stream."""
        self._pause = min(max(milliseconds / 1000, 0.0), LONGEST_SECONDS)

    def read(self, message: Message, status: int) -> Json | None:
        """The event in a message; None for a sign of life. Raises NotAtelier."""
        if message.data is None:
            self.alive()
            return None
        try:
            event = json.loads(message.data)
        except (ValueError, RecursionError):
            event = None
        return self._taken(event, status)

    def polled(self, job: Json) -> Json:
        """A polled job as its newest event would be. Raises NotAtelier."""
        known = ("version", "state", "attempt", "progress", "message", "preview_url")
        return self._taken({"job_id": job["id"], **{name: job.get(name) for name in known}}, 200)

    def is_news(self, event: Json) -> bool:
        """Take an event; whether it says anything new."""
        self.over = event["state"] in FINAL
        news = bool(event["version"] > self._last)
        self._last = max(self._last, event["version"])
        return news

    def pause(self, error: ApiError | None, now: float) -> float:
        """Seconds to wait before the next request, after this error or the end of a stream.

        Raises the error where waiting is no use, and NoServer after PATIENCE_SECONDS without a word.
        """
        polled = not self.streams
        if error is not None or not polled:
            self._patience.failed(error, now)
        if not polled:
            crowded = isinstance(error, Refused) and error.code == "too_many_streams"
            self._broken = BROKEN_STREAMS if crowded else self._broken + 1
            return POLL_SECONDS if crowded else max(self._pause, _asked(error))
        return max(POLL_SECONDS, _asked(error))

    def _taken(self, event: Any, status: int) -> Json:
        """Whoever tells of the job is alive."""
        known = isinstance(event, dict) and type(event.get("version")) is int
        if not known or not isinstance(event.get("state"), str):
            raise NotAtelier("the event stream is not Atelier's", status)
        self.alive()
        return dict(event)


def _asked(error: ApiError | None) -> float:
    return min(error.retry_after, LONGEST_SECONDS) if isinstance(error, Refused) else 0.0
