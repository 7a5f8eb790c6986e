"""What only a real server shows: hang-ups in the middle of an upload, and bodies without a length."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from pathlib import Path

import httpx
import pytest

from accounts.store import AccountStore
from tests.api.conftest import serve
from tests.api.helpers import eventually, picture

pytestmark = pytest.mark.waits


def objects_below(folder: Path) -> list[Path]:
    return [p for p in (folder / "objects").rglob("*") if p.is_file()]


def form(data: bytes) -> tuple[bytes, str]:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    return head + data + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"


def test_a_client_that_hangs_up_mid_upload_leaves_nothing(live, live_folder, live_database):
    live_key = AccountStore(live_database).create_key("mallory")[0]
    before = objects_below(live_folder)
    body, kind = form(picture() + os.urandom(3_000_000))
    for part in (100, 2_000_000):
        with socket.create_connection(("127.0.0.1", live.port)) as raw:
            raw.sendall(
                f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {live_key}\r\n"
                f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            )
            raw.sendall(body[:part])
    eventually(lambda: "/v1/files" in live.log.read_text())
    time.sleep(0.5)
    with live.client(live_key) as client:
        assert client.get("/v1/files").json()["files"] == []
    assert objects_below(live_folder) == before
    assert '"level": "error"' not in live.log.read_text()


def test_an_upload_without_a_length_is_taken(live, live_key):
    body, kind = form(picture())
    assert _chunked(live.port, live_key, kind, [body[:50], body[50:]])[0] == 201


def test_bodies_over_the_limit_are_refused_with_and_without_a_length(live_folder, live_database):
    with serve(live_folder, ATELIER_MAX_UPLOAD_BYTES="100000") as server:
        key = AccountStore(live_database).create_key("eve")[0]
        body, kind = form(os.urandom(300_000))
        with server.client(key) as client:
            answer = client.post("/v1/files", content=body, headers={"Content-Type": kind})
            assert answer.status_code == 413
            assert answer.json()["code"] == "too_large"
        pieces = [body[i : i + 10_000] for i in range(0, len(body), 10_000)]
        status, found = _chunked(server.port, key, kind, pieces)
        assert (status, found["code"]) == (413, "too_large")
        pieces = [b'{"engine": "echo", "params": {"text": "'] + [b"x" * 10_000] * 30 + [b'"}}']
        status, found = _chunked(server.port, key, "application/json", pieces, "/v1/jobs")
        assert (status, found["code"]) == (413, "too_large")


def _chunked(
    port: int, key: str, kind: str, pieces: list[bytes], path: str = "/v1/files"
) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(
            "POST",
            path,
            body=iter(pieces),
            headers={"Authorization": f"Bearer {key}", "Content-Type": kind},
            encode_chunked=True,
        )
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("key", ["", "no key of ours"])
def test_who_sends_on_after_a_refusal_gets_the_answer(live, live_key, key):
    """As a proxy does that holds the whole upload; a connection that is reset could cost it the answer."""
    size = 20_000_000
    head = f"Authorization: Bearer {key or live_key}\r\nContent-Type: text/plain\r\nContent-Length: {size}"
    with socket.create_connection(("127.0.0.1", live.port), timeout=20) as raw:
        raw.sendall(f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
        time.sleep(0.3)  # by now it is refused
        for _ in range(size // 1_000_000):
            raw.sendall(bytes(1_000_000))
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = raw.makefile("rb").read()
    assert answers.startswith(b"HTTP/1.1 401" if key else b"HTTP/1.1 415")
    assert b"HTTP/1.1 200 OK" in answers, "the connection was of no more use"


def test_two_processes_count_together_and_accept_each_others_urls(live_folder, live_key):
    with serve(live_folder, ATELIER_API_WORKERS="2") as server:
        for _ in range(30):
            assert httpx.get(f"{server.url}/healthz").status_code == 200
        with server.client(live_key) as client:
            url = client.post("/v1/files", files={"file": picture()}).json()["url"]
        assert {httpx.get(server.url + url).content for _ in range(10)} == {picture()}
        page = httpx.get(f"{server.url}/metrics").text
        line = next(x for x in page.splitlines() if 'route="/healthz",status="200"' in x)
        assert float(line.split()[-1]) >= 30
