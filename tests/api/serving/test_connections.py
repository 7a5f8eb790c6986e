"""Clients that are slow, silent or hostile hold no thread, and are told or dropped in time."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from accounts.store import AccountStore
from tests.api.conftest import serve
from tests.api.helpers import LiveServer, half_sent, picture, receive_all

pytestmark = pytest.mark.waits


def test_half_sent_requests_hold_no_thread_for_long(live_folder, live_key):
    halves = [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n",
        f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {live_key}\r\n".encode()
        + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    ]
    for half in halves:
        with ExitStack() as after:
            server = after.enter_context(serve(live_folder, ATELIER_READ_TIMEOUT="1"))
            for _ in range(40):  # of 32 threads
                raw = after.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                raw.sendall(half)
            time.sleep(0.2)
            assert httpx.get(f"{server.url}/healthz", timeout=10).status_code == 200
            assert "Traceback" not in server.log.read_text()


def test_clients_that_read_nothing_hold_no_thread_for_long(live_folder, live_database):
    key = AccountStore(live_database).create_key("sloth")[0]
    with ExitStack() as after:
        server = after.enter_context(serve(live_folder, ATELIER_READ_TIMEOUT="1"))
        client = after.enter_context(server.client(key))
        big = client.post("/v1/files", files={"file": picture() + os.urandom(30_000_000)}).json()["url"]
        for _ in range(40):  # of 32 threads
            raw = socket.socket()
            after.callback(raw.close)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect(("127.0.0.1", server.port))
            raw.sendall(f"GET {big} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(0.5)
        assert httpx.get(f"{server.url}/healthz", timeout=15).status_code == 200
        assert "Traceback" not in server.log.read_text()


@pytest.fixture
def keys(live_database) -> Callable[[str], str]:
    return lambda owner: AccountStore(live_database).create_key(owner)[0]


@pytest.fixture(scope="module")
def impatient(live_folder) -> Iterator[LiveServer]:
    with serve(live_folder, ATELIER_REQUEST_SECONDS="2", ATELIER_READ_TIMEOUT="1") as server:
        yield server


def drip(raw: socket.socket, seconds: float = 15) -> bytes:
    """Send a byte every tenth of a second until there is an answer, or the connection is closed."""
    raw.settimeout(0.1)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            raw.sendall(b"x")
            return raw.recv(1000)
        except TimeoutError:
            continue
        except OSError:
            return b""
    raise AssertionError("it went on for ever")


def test_a_body_that_drips_ends(impatient, keys):
    with half_sent(impatient, keys("ada")) as raw:
        assert drip(raw).startswith(b"HTTP/1.1 408 ")


def test_a_head_that_drips_ends(impatient):
    with socket.create_connection(("127.0.0.1", impatient.port)) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: ")
        assert drip(raw) == b""


def test_a_slow_body_that_keeps_up_is_taken(live_folder, keys):
    """More than the seconds a request has, at more than the bytes a second that win it further ones."""
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + picture()
    body += bytes(40_000) + b"\r\n--b--\r\n"
    limits = {"ATELIER_REQUEST_SECONDS": "1", "ATELIER_REQUEST_BYTES_PER_SECOND": "5000"}
    with (
        serve(live_folder, **limits) as server,
        socket.create_connection(("127.0.0.1", server.port)) as raw,
    ):
        raw.sendall(
            f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {keys('ada')}\r\n"
            "Connection: close\r\n"
            f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        for start in range(0, len(body), 4000):
            raw.sendall(body[start : start + 4000])
            time.sleep(0.2)
        assert receive_all(raw).startswith(b"HTTP/1.1 201 ")


def test_of_a_body_with_a_wrong_key_nothing_is_waited_for(impatient):
    with ExitStack() as after:
        raws = [after.enter_context(half_sent(impatient, "no key of ours")) for _ in range(80)]
        for raw in raws:
            raw.settimeout(10)
            # The address is slowed after some of them.
            assert raw.recv(1000).startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 429 "))


def test_a_head_without_end_is_refused(impatient):
    with socket.create_connection(("127.0.0.1", impatient.port)) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: " + bytes([120]) * 200_000)
        assert receive_all(raw).startswith(b"HTTP/1.1 431 ")


def test_silent_connections_make_room_for_those_that_ask(live_folder, keys):
    with ExitStack() as after:
        server = after.enter_context(serve(live_folder))
        for _ in range(600):  # of 532
            after.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        assert httpx.get(f"{server.url}/healthz", timeout=10).status_code == 200
        with server.client(keys("ada")) as client:
            assert client.post("/v1/jobs", json={"engine": "echo"}).status_code == 202
