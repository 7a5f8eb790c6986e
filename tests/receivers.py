"""A webhook's receiver: a real server that notes what it is sent and answers as the test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Message:
    """One request as it came."""

    path: str
    #: Names in lower case.
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


#: Status and header fields.
Answer = tuple[int, dict[str, str]]


class Receiver(ThreadingHTTPServer):
    """Answers 204, or what `answer` says of a message."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), _Handler)
        self.host = host
        self.seen: list[Message] = []
        self.answer: Callable[[Message], Answer] = lambda _message: (204, {})

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.server_port}/hook"

    def ids(self) -> list[str]:
        return [message.id for message in self.seen]

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # senders that are killed are the point of some tests


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message = Message(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        self.server.seen.append(message)
        status, fields = self.server.answer(message)
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def receiver(host: str = "127.0.0.1") -> Iterator[Receiver]:
    """A running receiver."""
    server = Receiver(host)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
