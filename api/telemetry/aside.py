"""An answer that may take long: a thread of its own asks, others get the newest there is.

So a question whose cost grows with the database takes the same small share of everybody's time at any size.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from jobs.errors import Unavailable

log = logging.getLogger(__name__)

V = TypeVar("V")

#: Seconds that an answer serves at least, however quickly it came.
FRESH = 5.0
#: The share of the time that is spent asking, at most: what took 2 seconds serves for 100.
SHARE = 0.02
#: How long whoever wants a new answer waits for it.
PATIENCE = 2.0


class Aside(Generic[V]):
    """Keeps the newest answer to a question, which runs in one thread at a time."""

    def __init__(self, question: Callable[[], V]) -> None:
        self._question = question
        self._lock = threading.Lock()
        self._due = float("-inf")
        self._asked = threading.Event()
        self._asked.set()
        self._found: V | None = None

    def ask(self) -> None:
        """Begin, if a new answer is due."""
        with self._lock:
            if self._asked.is_set() and time.monotonic() >= self._due:
                self._asked.clear()
                threading.Thread(target=self._run, daemon=True).start()

    def get(self) -> V | None:
        """The answer; an older one while a new one takes long; None before the first and after a failure."""
        self.ask()
        self._asked.wait(PATIENCE)
        return self._found

    def _run(self) -> None:
        began = time.monotonic()
        try:
            self._found = self._question()
        except Unavailable as error:
            self._found = None  # better none than one of an hour ago
            log.warning("figures_missing", extra={"detail": error.detail})
        finally:
            ended = time.monotonic()
            self._due = ended + max(FRESH, (ended - began) / SHARE)
            self._asked.set()
