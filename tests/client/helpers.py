"""What the client's tests share: both clients called alike, and a server that answers what a test says."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from client import AsyncClient, Client

#: Client, or one that is called as it is.
AnyClient = Any


class Waited:
    """An AsyncClient that is called like a Client: what it gives is awaited."""

    def __init__(self, client: AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return self._waiting(found) if callable(found) else found

    def _waiting(self, found: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            made = found(*given, **more)
            if inspect.iscoroutine(made):
                return self._loop.run_until_complete(made)
            if isinstance(made, AsyncIterator):
                return self._each(made)
            return Waited(made, self._loop) if isinstance(made, AsyncClient) else made

        return call

    def _each(self, made: AsyncIterator[Any]) -> Iterator[Any]:
        try:
            while True:
                try:
                    yield self._loop.run_until_complete(anext(made))
                except StopAsyncIteration:
                    return
        finally:
            self._loop.run_until_complete(made.aclose())  # type: ignore[attr-defined]


@contextmanager
def connecting(kind: type[Client] | type[AsyncClient]) -> Iterator[Callable[..., AnyClient]]:
    """Makes clients of one kind, called alike, and closes them."""
    loop = asyncio.new_event_loop()
    made: list[AnyClient] = []

    def connect(url: str, key: str | None = "atl_key", **more: Any) -> AnyClient:
        client = kind(url, key, **more)
        made.append(Waited(client, loop) if isinstance(client, AsyncClient) else client)
        return made[-1]

    try:
        yield connect
    finally:
        for client in made:
            client.close()
        loop.close()


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Stub:
    """A server of these answers, a connection for each; the last one is for all that come after."""

    port: int
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def answering(*answers: bytes | None) -> Iterator[Stub]:
    """A server that sends these bytes and hangs up; None: it hangs up without a word."""
    left = list(answers)
    with socket.create_server(("127.0.0.1", 0)) as door:
        stub = Stub(door.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    connection, _ = door.accept()
                except OSError:
                    return
                with connection:
                    asked = _request(connection)
                    if asked is None:
                        return
                    stub.asked.append(asked)
                    answer = left.pop(0) if len(left) > 1 else left[0]
                    if answer is not None:
                        connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield stub
        finally:
            with socket.create_connection(("127.0.0.1", stub.port)):
                pass  # without a request: the end
            thread.join()


def _request(connection: socket.socket) -> Asked | None:
    with connection.makefile("rb") as stream:
        first = stream.readline().decode().split()
        if not first:
            return None
        headers = {}
        while line := stream.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return Asked(first[0], first[1], headers, stream.read(int(headers.get("content-length", 0))))


def answer(status: int, body: object = b"", *, length: int | None = None, **headers: str) -> bytes:
    """The bytes of an answer; JSON of anything but bytes. `length`: what it says that is to come."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Content-Length": str(len(data) if length is None else length), "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + data


def refusal(status: int, code: str = "busy", **headers: str) -> bytes:
    """A problem document."""
    problem = {"type": "x", "title": "X", "status": status, "detail": "No.", "code": code}
    return answer(status, problem, Content_Type="application/problem+json", **headers)


def event(version: int, state: str = "running", **more: Any) -> dict[str, Any]:
    """A job's event."""
    plain = {"job_id": "job_1", "version": version, "state": state, "attempt": 1, "progress": 0.0}
    return plain | {"message": "", "preview_url": None} | more


def stream(*events: dict[str, Any], retry: int = 0, tail: bytes = b"") -> bytes:
    """An event stream that ends behind these events, or in the middle of `tail`."""
    text = f"retry: {retry}\n\n".encode()
    for one in events:
        text += f"id: {one['version']}\nevent: progress\ndata: {json.dumps(one)}\n\n".encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (text, tail) if part)


def job(state: str = "succeeded", version: int = 9, **more: Any) -> dict[str, Any]:
    """A job, as far as clients look."""
    return event(version, state) | {"id": "job_1", "artifacts": [], "error": None} | more
