"""The log of every call of the API, with times: what latencies and rates are measured from."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from tests.telegram.parameters import Json


@dataclass
class Call:
    """One request. Times are of `time.monotonic()`."""

    method: str
    #: As they came; of uploads see `files`.
    parameters: Json
    #: Bytes of each uploaded part.
    files: dict[str, int]
    at: float = field(default_factory=time.monotonic)
    #: When it was answered, cut or dropped; None while it goes on.
    done: float | None = None
    #: The HTTP status; 0 where the connection was cut or no answer was given.
    status: int | None = None
    #: An error's words.
    description: str = ""

    @property
    def chat_id(self) -> int | None:
        value = str(self.parameters.get("chat_id", ""))
        return int(value) if value.lstrip("-").isdigit() else None

    @property
    def seconds(self) -> float | None:
        """How long the server took."""
        return None if self.done is None else self.done - self.at


class Calls:
    """All calls in the order in which they came. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []

    def add(self, call: Call) -> None:
        with self._lock:
            self._calls.append(call)

    def of(self, *methods: str, chat_id: int | None = None, since: float = 0.0) -> list[Call]:
        """Those of the methods (all if none is named), into a chat, since a time."""
        with self._lock:
            return [
                one
                for one in self._calls
                if (not methods or one.method in methods)
                and (chat_id is None or one.chat_id == chat_id)
                and one.at >= since
            ]

    def busiest(self, seconds: float, *methods: str, chat_id: int | None = None) -> int:
        """The most successful calls that began within any window of so many seconds."""
        times = [one.at for one in self.of(*methods, chat_id=chat_id) if one.status == 200]
        most = first = 0
        for last, at in enumerate(times):
            while at - times[first] > seconds:
                first += 1
            most = max(most, last - first + 1)
        return most
