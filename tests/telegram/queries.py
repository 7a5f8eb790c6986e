"""Questions that wait for an answer of the bot: pressed buttons and inline queries."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tests.telegram.errors import bad_request
from tests.telegram.parameters import Json
from tests.telegram.updates import Update

#: Seconds within which the bot must answer. The server may be told otherwise.
ANSWER_SECONDS = 15.0

TOO_OLD = "query is too old and response timeout expired or query ID is invalid"

Answer = TypeVar("Answer")


@dataclass
class Query(Generic[Answer]):
    """One question. Times are of `time.monotonic()`."""

    lives: float
    id: str = field(default_factory=lambda: str(secrets.randbits(62)))
    asked_at: float = field(default_factory=time.monotonic)
    answered_at: float | None = None
    answer: Answer | None = None
    update: Update | None = None
    answered: threading.Event = field(default_factory=threading.Event)

    def take(self, answer: Answer) -> None:
        """Raises ApiError (400) when it is too late, or was answered before."""
        if self.answered_at is not None or time.monotonic() - self.asked_at > self.lives:
            raise bad_request(TOO_OLD)
        self.answer = answer
        self.answered_at = time.monotonic()
        self.answered.set()


@dataclass
class Queries:
    """All questions by their ids. An inline query ends when its person types on."""

    seconds: float = ANSWER_SECONDS
    callbacks: dict[str, Query[Json]] = field(default_factory=dict)
    inlines: dict[str, Query[Json]] = field(default_factory=dict)
    #: Answers that Telegram remembers: (person or 0, text, offset) to (until, answer).
    cache: dict[tuple[int, str, str], tuple[float, Json]] = field(default_factory=dict)

    def callback(self) -> Query[Json]:
        query: Query[Json] = Query(self.seconds)
        self.callbacks[query.id] = query
        return query

    def inline(self) -> Query[Json]:
        query: Query[Json] = Query(self.seconds)
        self.inlines[query.id] = query
        return query

    def cached(self, person: int, text: str, offset: str) -> Json | None:
        for key in ((person, text, offset), (0, text, offset)):
            until, answer = self.cache.get(key, (0.0, None))
            if answer is not None and until > time.monotonic():
                return answer
        return None
