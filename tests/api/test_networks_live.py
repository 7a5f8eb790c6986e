"""Networks sent to a real server: without a length, broken off, too large, at once, in little memory."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from accounts.store import AccountStore
from tests.api.conftest import serve
from tests.api.helpers import LiveServer, eventually

pytestmark = pytest.mark.waits

MEBIBYTE = 1024 * 1024
MOST = 64 * MEBIBYTE
HEADERS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def live(live_folder: Path) -> Iterator[LiveServer]:
    with serve(live_folder, ATELIER_MAX_NETWORK_BYTES=str(MOST), ATELIER_MAX_UPLOAD_BYTES="1000") as server:
        yield server


@pytest.fixture
def client(live, live_database, request) -> Iterator[httpx.Client]:
    """With an owner of the test's own."""
    with live.client(AccountStore(live_database).create_key(request.node.name)[0]) as made:
        yield made


def pickle_of(size: int) -> Iterator[bytes]:
    """Something that begins as a pickle does, piece by piece."""
    yield b"\x80\x04"
    left = size - 2
    while left > 0:
        yield bytes(min(left, MEBIBYTE))
        left -= MEBIBYTE


def stored(folder: Path) -> set[Path]:
    return {path for path in (folder / "objects").rglob("*") if path.is_file()}


def test_without_a_length(client):
    answer = client.post("/v1/networks?name=a", content=pickle_of(3 * MEBIBYTE), headers=HEADERS)
    assert answer.status_code == 202, answer.text
    assert answer.json()["upload_bytes"] == 3 * MEBIBYTE


@pytest.mark.parametrize("length", [True, False])
def test_too_large_is_said_and_not_stored(client, live_folder, length):
    before = stored(live_folder)
    headers = HEADERS | ({"Content-Length": str(MOST + 1)} if length else {})
    answer = client.post("/v1/networks?name=a", content=pickle_of(MOST + 1), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "network_too_large")
    assert stored(live_folder) == before


def test_a_refusal_reaches_who_still_sends(client):
    answer = client.post("/v1/networks?name=A", content=pickle_of(30 * MEBIBYTE), headers=HEADERS)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("chunked", [True, False])
def test_who_hangs_up_in_the_middle_leaves_nothing(live, client, live_folder, chunked):
    before = stored(live_folder)
    with socket.create_connection(("127.0.0.1", live.port)) as raw:
        kind = "Transfer-Encoding: chunked" if chunked else "Content-Length: 5000000"
        head = (
            f"POST /v1/networks?name=a HTTP/1.1\r\nHost: x\r\n{kind}\r\n"
            f"Authorization: {client.headers['Authorization']}\r\n"
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = b"\x80\x04" + bytes(MEBIBYTE)
        raw.sendall(head.encode() + (b"%x\r\n%s\r\n" % (len(body), body) if chunked else body))
        # Two rows are committed before the first byte is stored; a busy disk takes its time over each.
        eventually(lambda: stored(live_folder) > before)
    eventually(lambda: stored(live_folder) == before)
    assert all(one["shipped"] for one in client.get("/v1/networks").json()["networks"])
    assert "internal_error" not in live.log.read_text()


def test_the_same_many_times_at_once(client):
    def send(_: int) -> httpx.Response:
        return client.post("/v1/networks?name=a", content=pickle_of(MEBIBYTE), headers=HEADERS)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(4)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(client.get("/v1/jobs").json()["jobs"]) == 1


@pytest.mark.parametrize("form", [True, False])
def test_the_server_does_not_take_it_into_memory(client, tmp_path, form):
    file = tmp_path / "big.pkl"
    with file.open("wb") as stream:
        for piece in pickle_of(MOST):
            stream.write(piece)
    processes = [p for p in psutil.Process().children(recursive=True) if "gunicorn" in " ".join(p.cmdline())]

    def memory() -> int:
        return sum(process.memory_info().rss for process in processes)

    client.get("/v1/networks")
    before = memory()
    with file.open("rb") as stream:
        if form:
            answer = client.post("/v1/networks", data={"name": "a"}, files={"file": stream})
        else:
            answer = client.post("/v1/networks?name=a", content=stream, headers=HEADERS)
    assert answer.status_code == 202, answer.text
    assert memory() - before < MOST // 2
