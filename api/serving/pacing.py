"""A client's connection that holds a thread no longer than its request may take.

gunicorn's threads read from a plain socket and write to it, and a client that sends a byte now and then, or
takes a little of its answer, holds one for ever.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobs.errors import TooSlow


@dataclass(frozen=True)
class Pace:
    """How long a client may take."""

    #: Seconds without a single byte.
    silence: float
    #: Seconds for a whole request, head and body; and for each so many bytes of it a second more.
    seconds: float
    bytes_per_second: float


class PacedSocket(socket.socket):
    """An accepted connection. Who reads from it or writes to it waits only where that was allowed."""

    def __init__(self, accepted: socket.socket, pace: Pace) -> None:
        family, kind, protocol = accepted.family, accepted.type, accepted.proto
        super().__init__(family, kind, protocol, fileno=accepted.detach())
        self.pace = pace
        #: What was received before a thread began to read.
        self.ahead = b""
        #: Called before a thread waits for the client; it may raise. None: nobody waits.
        self.before_waiting: Callable[[], None] | None = None
        #: The same before a thread waits until the client takes more of an answer.
        self.before_sending: Callable[[], None] | None = None
        #: Whose the present answer is, to count who is waited for; of those without a key it is "".
        self.owner_id = ""
        self._began = time.monotonic()
        self._received = 0

    def begin(self) -> None:
        """A new request begins now."""
        self._began = time.monotonic()
        self._received = 0

    @property
    def ends_at(self) -> float:
        """When the present request must have been received as a whole, going by what there is of it."""
        return self._began + self.pace.seconds + self._received / self.pace.bytes_per_second

    def receive(self, size: int) -> bytes | None:
        """What is there: nothing at the end, None when that is still to come."""
        try:
            data = super().recv(size, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        self._received += len(data)
        return data

    def recv(self, size: int, _flags: int = 0, /) -> bytes:
        """As every socket's. Raises TooSlow, and TimeoutError where nobody may wait."""
        if self.ahead:
            data, self.ahead = self.ahead[:size], self.ahead[size:]
            return data
        while (found := self.receive(size)) is None:
            self._wait()
        return found

    def sendall(self, data: Any, _flags: int = 0, /) -> None:
        """As every socket's. Raises TimeoutError where nobody may wait, or waited in vain."""
        left = memoryview(data).cast("B")
        while left:
            try:
                left = left[super().send(left, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                self._wait_until_taken()

    def _wait_until_taken(self) -> None:
        if self.before_sending is None:
            raise TimeoutError("Nobody waits for this client.")
        self.before_sending()
        poller = select.poll()
        poller.register(self, select.POLLOUT)
        if not poller.poll(self.pace.silence * 1000):
            raise TimeoutError("The client takes nothing of its answer.")

    def _wait(self) -> None:
        if self.before_waiting is None:
            raise TimeoutError("Nobody waits for this client.")
        self.before_waiting()
        seconds = min(self.pace.silence, self.ends_at - time.monotonic())
        poller = select.poll()
        poller.register(self, select.POLLIN)
        if seconds <= 0 or not poller.poll(seconds * 1000):
            raise TooSlow
