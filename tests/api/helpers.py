"""What the API's tests share: clients, pictures and a worker played by hand."""

from __future__ import annotations

import base64
import io
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from flask import Flask
from PIL import Image
from sqlalchemy import update
from werkzeug.test import TestResponse

from jobs.models import Job
from jobs.store import JobRow, JobStore, NewArtifact
from storage.base import Storage
from tests.patience import PATIENCE


class Api:
    """A test client with a key."""

    def __init__(self, app: Flask, key: str | None) -> None:
        self.app = app
        self.key = key

    def request(self, method: str, path: str, **more: Any) -> TestResponse:
        headers = dict(more.pop("headers", {}))
        if self.key is not None:
            headers.setdefault("Authorization", f"Bearer {self.key}")
        return self.app.test_client().open(path, method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> TestResponse:
        return self.request("POST", path, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        return self.request("DELETE", path, **more)

    def submit(self, headers: dict[str, str] | None = None, **params: Any) -> TestResponse:
        """An echo job."""
        return self.post("/v1/jobs", json={"engine": "echo", "params": params}, headers=headers or {})

    def job_id(self, **params: Any) -> str:
        """The id of a new echo job."""
        answer = self.submit(**params)
        assert answer.status_code == 202, answer.text
        return str(answer.json["id"])

    def upload(self, data: bytes | None = None, name: str = "photo.png") -> TestResponse:
        form = {"file": (io.BytesIO(picture() if data is None else data), name)}
        return self.post("/v1/files", data=form)


@dataclass
class LiveServer:
    """A running gunicorn."""

    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, key: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=20)


def picture(width: int = 48, height: int = 32, kind: str = "PNG", color: str = "navy") -> bytes:
    """A small image."""
    stream = io.BytesIO()
    Image.new("RGB", (width, height), color).save(stream, kind)
    return stream.getvalue()


def data_uri(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def claim(store: JobStore, queue: str = "cpu") -> JobRow:
    """Take the next job, as a worker does."""
    (row,) = store.claim("wrk_test", queue, engines=["echo", "neural_style"], lease_seconds=60)
    return row


def finish(store: JobStore, storage: Storage, text: bytes = b"hello") -> JobRow:
    """Take the next job and succeed with one file."""
    row = claim(store)
    key = f"jobs/{row.id}/{row.attempt}/echo.txt"
    storage.put(key, io.BytesIO(text), media_type="text/plain")
    made = NewArtifact(name="echo.txt", key=key, media_type="text/plain", size=len(text), sha256="0" * 64)
    return store.succeed(row.id, row.attempt, [made], device="cpu")


def took(store: JobStore, seconds: float) -> None:
    """All jobs so far took so long."""
    store.database.write(lambda c: c.execute(update(Job).values(run_seconds=seconds, device_seconds=seconds)))


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Assert that this is a problem document, and give it back."""
    text = answer.text
    assert answer.status_code == status, text
    assert answer.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = json.loads(text)
    assert found["status"] == status
    assert found["code"] == code, text
    assert found["instance"] == answer.headers["X-Request-ID"]
    assert {"type", "title", "detail"} <= found.keys()
    return found


@dataclass
class Event:
    """One server-sent event."""

    id: int
    name: str
    data: dict[str, Any]


def read_events(response: httpx.Response) -> Iterator[Event]:
    """The events of a stream, as they come."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            fields = {}


def eventually(check: Any, seconds: float = PATIENCE) -> Any:
    """Ask until the answer is true."""
    give_up = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < give_up, "it did not come true"
        time.sleep(0.05)
    return found


def half_sent(server: LiveServer, key: str) -> socket.socket:
    """A client that has begun an upload, and says no more."""
    made = socket.create_connection(("127.0.0.1", server.port))
    head = f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 1000\r\n"
    made.sendall(f"{head}Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n".encode())
    return made


def receive_all(raw: socket.socket) -> bytes:
    """All that comes until the server closes."""
    raw.settimeout(20)
    return raw.makefile("rb").read()
