"""Waiting for the end of a job, question by question. Knows no connection."""

from __future__ import annotations

from client.calls import jobs as calls
from client.calls.base import Call, Which
from client.errors import ApiError, Json, NotFinished, Refused
from client.following import FINAL, LONGEST_SECONDS
from client.patience import Patience

#: Seconds of one question: below the limit of every proxy.
HOLD_SECONDS = 25.0
#: A server that holds as many answers back as it may answers at once: it is not asked again at once.
PAUSE_SECONDS = 1.0


class Waiting:
    """One wait for one job; `now` is time.monotonic()."""

    def __init__(self, which: Which, seconds: float | None, now: float) -> None:
        self._which = which
        self._until = None if seconds is None else now + seconds
        self._patience = Patience()
        self._asked_at = now

    def call(self, now: float) -> Call[Json]:
        """The next question."""
        self._asked_at = now
        return calls.job(
            self._which, HOLD_SECONDS if self._until is None else min(HOLD_SECONDS, self._left(now))
        )

    def pause(self, job: Json, now: float) -> float | None:
        """Seconds until the next question; None: the job has ended. Raises NotFinished."""
        self._patience.answered()
        if job["state"] in FINAL:
            return None
        if self._until is not None and self._left(now) <= 0:
            raise NotFinished(job)
        pause = max(PAUSE_SECONDS - (now - self._asked_at), 0.0)
        return pause if self._until is None else min(pause, self._left(now))

    def away(self, error: ApiError, now: float) -> float:
        """Seconds until the next question after an error. Raises it where waiting is no use."""
        self._patience.failed(error, now)
        if self._until is not None and self._left(now) <= 0:
            raise error
        asked = error.retry_after if isinstance(error, Refused) else 0.0
        pause = min(max(PAUSE_SECONDS, asked), LONGEST_SECONDS)
        return pause if self._until is None else min(pause, self._left(now))

    def _left(self, now: float) -> float:
        return max((self._until or now) - now, 0.0)
