"""Server-sent events out of bytes as they come (WHATWG HTML, 9.2.6). Knows no socket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: An event of ours has some hundred bytes; what has more is none.
MOST_BYTES = 1024 * 1024
#: Lines end so, and at nothing else: text may hold any other character that looks like an end.
_END = re.compile(rb"\r\n|\n|\r")


class NoEvents(ValueError):
    """These bytes are no stream of events."""


@dataclass(frozen=True)
class Message:
    """One event; or, without data, a sign of life."""

    data: str | None = None


class Decoder:
    """Takes pieces, gives messages. What was cut off in the middle is no message."""

    def __init__(self) -> None:
        #: Milliseconds the server asked to wait before the next connection.
        self.retry: int | None = None
        self._rest = b""
        self._data: list[str] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[Message]:
        """The messages that end in this piece. Raises NoEvents."""
        text = self._rest + piece
        start = 0
        # What is left of the last piece has no end but, perhaps, half of one.
        for end in _END.finditer(text, max(len(self._rest) - 1, 0)):
            if end.group() == b"\r" and end.end() == len(text):
                break  # half of a "\r\n", perhaps
            yield from self._line(text[start : end.start()])
            start = end.end()
        self._rest = text[start:]
        if len(self._rest) + self._size > MOST_BYTES:
            raise NoEvents("an event without an end")

    def _line(self, line: bytes) -> Iterator[Message]:
        if not line:
            if self._data:
                yield Message("\n".join(self._data))
            self._data, self._size = [], 0
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"":
            yield Message()
        elif name == b"data":
            self._size += len(value)
            self._data.append(value.decode(errors="replace"))
        elif name == b"retry" and value.isdigit() and len(value) < 10:
            self.retry = int(value)
