"""A chat service of the tests' own: the protocol of chat completions as documented, and ways to break it."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-planted-5eCr3t-kEy-0123456789"
MODEL = "tiny-chat"

#: What a request may have, of what the protocol documents.
_FIELDS = {
    *("model", "messages", "temperature", "seed", "max_tokens", "max_completion_tokens", "response_format"),
    *("top_p", "n", "stop", "user", "stream"),
}
_ROLES = {"system", "developer", "user", "assistant"}

#: What is done with one request.
Way = Callable[["Handler", dict[str, Any]], None]


class Wrong(Exception):
    """A request that the protocol refuses."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: ChatServer

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.heads.append(dict(self.headers))
        try:
            request = self._checked(body)
        except Wrong as wrong:
            self.problem(wrong.status, str(wrong), code=wrong.code)
            return
        self.server.requests.append(request)
        with suppress(BrokenPipeError, ConnectionResetError):  # who asked has gone
            (self.server.ways.popleft() if self.server.ways else says("fine"))(self, request)

    def _checked(self, body: bytes) -> dict[str, Any]:
        if self.path != "/v1/chat/completions":
            raise Wrong(404, f"Unknown request URL: POST {self.path}.")
        if self.headers.get("authorization") != f"Bearer {KEY}":
            raise Wrong(401, f"Incorrect API key: {self.headers.get('authorization')}.", "invalid_api_key")
        request = json.loads(body)
        if unknown := request.keys() - _FIELDS:
            raise Wrong(400, f"Unrecognized request argument supplied: {', '.join(sorted(unknown))}")
        if request.get("model") != MODEL:
            raise Wrong(404, f"The model {request.get('model')!r} does not exist.", "model_not_found")
        messages = request.get("messages")
        if not messages or not all(
            one["role"] in _ROLES and isinstance(one["content"], str) for one in messages
        ):
            raise Wrong(400, "Invalid messages.")
        if not 0 <= request.get("temperature", 1) <= 2 or request.get("max_tokens", 1) < 1:
            raise Wrong(400, "A value is out of its range.")
        shape = request.get("response_format", {"type": "text"})
        if shape["type"] == "json_schema":
            named = shape["json_schema"]
            if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", named["name"]) or not isinstance(
                named["schema"], dict
            ):
                raise Wrong(400, "Invalid response_format.")
        elif shape["type"] not in ("text", "json_object"):
            raise Wrong(400, "Invalid response_format.")
        return dict(request)

    def problem(
        self, status: int, message: str, *, code: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """An error as the protocol has it."""
        told = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
        self.send(status, json.dumps(told).encode(), headers=headers)

    def send(
        self,
        status: int,
        body: bytes,
        *,
        media_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        length: int | None = None,
    ) -> None:
        """An answer; `length`: what it says that its body has."""
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def cut(self) -> None:
        """End the connection in the middle."""
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


class ChatServer(ThreadingHTTPServer):
    """Answers `fine`, unless it was told of other `ways`: one for each of the next requests."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.ways: deque[Way] = deque()
        #: Requests that were understood, and the heads of all.
        self.requests: list[dict[str, Any]] = []
        self.heads: list[dict[str, str]] = []

    def will(self, *ways: Way) -> None:
        """Do these with the next requests."""
        self.ways.extend(ways)

    def handle_error(self, *_: object) -> None:
        """Nothing: who asks may go."""


@contextmanager
def chat_server() -> Iterator[ChatServer]:
    """One, while it is needed."""
    server = ChatServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def completion(message: Mapping[str, Any], finish: str = "stop", **more: Any) -> dict[str, Any]:
    """A whole answer."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": f"{MODEL}-2026-11-01",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "refusal": None, **message},
                "finish_reason": finish,
            }
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30},
        **more,
    }


def says(text: str, finish: str = "stop", **more: Any) -> Way:
    """A good answer."""
    return lambda handler, _request: handler.send(
        200, json.dumps(completion({"content": text}, finish, **more)).encode()
    )


def refuses(words: str) -> Way:
    """The model does not want to."""
    return lambda handler, _request: handler.send(
        200, json.dumps(completion({"content": None, "refusal": words})).encode()
    )


def fails(status: int, message: str = "no", **headers: str) -> Way:
    """An error; `retry_after="7"` is a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, _request: handler.problem(status, message, headers=named)


def sends(body: bytes, media_type: str = "application/json", status: int = 200, **headers: str) -> Way:
    """Exactly these bytes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, _request: handler.send(status, body, media_type=media_type, headers=named)


def breaks_off(body: bytes = b'{"choices": [') -> Way:
    """Promises more than it sends."""

    def way(handler: Handler, _request: dict[str, Any]) -> None:
        handler.send(200, body, length=len(body) + 1000)
        handler.cut()

    return way


def hangs_up() -> Way:
    """Says nothing at all."""
    return lambda handler, _request: handler.cut()


def drips(pause: float = 0.02, seconds: float = 60.0) -> Way:
    """A byte now and then."""

    def way(handler: Handler, _request: dict[str, Any]) -> None:
        handler.send(200, b"", length=10**6)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(pause)

    return way


def floods(size: int) -> Way:
    """So many bytes of an answer."""

    def way(handler: Handler, _request: dict[str, Any]) -> None:
        handler.send(200, json.dumps(completion({"content": "x" * size})).encode())

    return way
