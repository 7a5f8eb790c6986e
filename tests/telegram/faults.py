"""What can go wrong between a bot and Telegram, on request of a test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from tests.telegram.errors import ApiError, too_many

#: `cut` closes the connection before the call is done, `cut_after` when it is done but unanswered;
#: `drop` never answers.
Kind = Literal["error", "cut", "cut_after", "slow", "drop"]


@dataclass
class Fault:
    """One thing that goes wrong."""

    kind: Kind
    #: Empty means all but getUpdates.
    methods: frozenset[str] = frozenset()
    chat_id: int | None = None
    #: How often still; None is without end.
    left: int | None = 1
    error: ApiError | None = None
    seconds: float = 0.0

    def concerns(self, method: str, chat_id: int | None) -> bool:
        if self.left == 0 or (self.chat_id is not None and self.chat_id != chat_id):
            return False
        return method in self.methods if self.methods else method != "getUpdates"


class Faults:
    """The faults to come. For any thread. Downloads of files are the method `download`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def flood(
        self, retry_after: int, *methods: str, times: int | None = 1, chat_id: int | None = None
    ) -> Fault:
        """429 with `retry_after` seconds."""
        return self._add(Fault("error", frozenset(methods), chat_id, times, too_many(retry_after)))

    def error(
        self,
        code: int = 500,
        *methods: str,
        description: str = "Internal Server Error",
        times: int | None = 1,
        chat_id: int | None = None,
    ) -> Fault:
        """Any other refusal."""
        return self._add(Fault("error", frozenset(methods), chat_id, times, ApiError(code, description)))

    def cut(
        self, *methods: str, done: bool = False, times: int | None = 1, chat_id: int | None = None
    ) -> Fault:
        """A connection that breaks; with `done` the call has worked and only its answer is lost."""
        return self._add(Fault("cut_after" if done else "cut", frozenset(methods), chat_id, times))

    def drop(self, times: int | None = 1, *methods: str, chat_id: int | None = None) -> Fault:
        """The next calls are never answered and never done: the client must time out."""
        return self._add(Fault("drop", frozenset(methods), chat_id, times))

    def slow(
        self, seconds: float, *methods: str, times: int | None = None, chat_id: int | None = None
    ) -> Fault:
        """Calls that take longer; they may fail in another way as well."""
        return self._add(Fault("slow", frozenset(methods), chat_id, times, seconds=seconds))

    def clear(self) -> None:
        """All is well from now on."""
        with self._lock:
            self._faults.clear()

    @contextmanager
    def offline(self) -> Iterator[None]:
        """No connection works, polling and downloads included."""
        both = [self.cut(times=None), self.cut("getUpdates", times=None)]
        try:
            yield
        finally:
            with self._lock:
                self._faults = [one for one in self._faults if one not in both]

    def take(self, method: str, chat_id: int | None) -> list[Fault]:
        """What befalls this call: delays, and at most one other fault."""
        with self._lock:
            here = [one for one in self._faults if one.concerns(method, chat_id)]
            taken = [one for one in here if one.kind == "slow"]
            taken += [one for one in here if one.kind != "slow"][:1]
            for one in taken:
                if one.left is not None:
                    one.left -= 1
            self._faults = [one for one in self._faults if one.left != 0]
            return taken

    def _add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault
