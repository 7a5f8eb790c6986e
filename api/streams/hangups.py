"""One thread per process that notices which held requests have nobody waiting for them any more.

Apart from the watcher's thread, because that one may be kept waiting by the database.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Seconds between two looks at who is held, and at whether the process is about to end.
INTERVAL = 0.25
#: What poll calls a client that closed its side. A system without a name for it notices at the next write.
_CLOSED = getattr(select, "POLLRDHUP", 0)


class HangUps:
    """Calls back for every held request whose client has gone, and for all of them before the end."""

    def __init__(self, closing: threading.Event) -> None:
        self._closing = closing
        self._lock = threading.Lock()
        self._held: dict[Callable[[], None], int | None] = {}
        self._some = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def noticed(self, connection: socket.socket | None, leave: Callable[[], None]) -> Iterator[None]:
        """Call `leave` when the client closes this connection meanwhile, or the process is about to end."""
        with self._lock:
            self._held[leave] = connection.fileno() if connection is not None else None
            # Started by the first who is held, not in the constructor: a thread does not survive a fork.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="hang-ups", daemon=True)
                self._thread.start()
        self._some.set()
        try:
            yield
        finally:
            with self._lock:
                # Before the server closes the connection: the number of a closed one is given to another.
                self._held.pop(leave, None)

    def _run(self) -> None:
        while True:
            self._some.wait()
            with self._lock:
                held = dict(self._held)
                if not held:
                    self._some.clear()
            gone = list(held) if self._closing.wait(INTERVAL) else _closed(held)
            for leave in gone:
                leave()


def _closed(held: dict[Callable[[], None], int | None]) -> list[Callable[[], None]]:
    """Those whose client has closed its side."""
    poller = select.poll()
    asked = {number: leave for leave, number in held.items() if number is not None}
    for number in asked:
        poller.register(number, _CLOSED)
    return [asked[number] for number, _ in poller.poll(0)]
