"""What a person waits for after a tap on a button, or after typing an inline query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.patience import PATIENCE
from tests.telegram.parameters import Json
from tests.telegram.queries import Query


@dataclass(frozen=True)
class Press:
    """A pressed button: it shows a clock until the bot answers."""

    query: Query[Json]

    @property
    def delivered_at(self) -> float | None:
        """When the bot was first handed it (`time.monotonic()`): where its latency begins."""
        sent = self.query.update.sent if self.query.update else []
        return sent[0] if sent else None

    @property
    def answered_at(self) -> float | None:
        return self.query.answered_at

    def answer(self, seconds: float = PATIENCE) -> Json:
        """`text`, `show_alert` and `url` of the bot's answer. Raises AssertionError after the time."""
        if not self.query.answered.wait(seconds):
            raise AssertionError(f"the press was not answered within {seconds} s")
        return self.query.answer or {}


@dataclass(frozen=True)
class Inline:
    """The results of an inline query, in the API's shape."""

    query: Query[Json]
    text: str
    answer: Json

    @property
    def results(self) -> list[Json]:
        return list(self.answer["results"])

    def result(self, wanted: int | str) -> Json:
        """By position, id or title."""
        if isinstance(wanted, int):
            return self.results[wanted]
        found: list[Any] = [one for one in self.results if wanted in (one["id"], one.get("title"))]
        if not found:
            raise AssertionError(f"no result {wanted!r} in {[one.get('title') for one in self.results]}")
        return dict(found[0])
