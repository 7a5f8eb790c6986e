"""What is no HTTP as we take it is the client's mistake, said in a problem document, whoever finds it."""

from __future__ import annotations

import io
import json
import socket

import pytest
from gunicorn.http.errors import InvalidChunkExtension, InvalidChunkSize, LimitRequestHeaders

from tests.api.helpers import problem


class Broken(io.RawIOBase):
    """A body in which gunicorn finds something while it is read."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: object) -> int:
        raise self._error


FOUND = [InvalidChunkSize(b"-5"), InvalidChunkExtension("too large"), LimitRequestHeaders("trailers")]


@pytest.mark.parametrize("error", FOUND, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/v1/jobs", "application/json"),
        ("/v1/files", "multipart/form-data; boundary=x"),
        ("/v1/networks?name=n", "application/octet-stream"),
    ],
)
def test_a_body_that_is_chunked_wrongly_is_a_400_and_no_traceback(api, caplog, error, path, media_type):
    answer = api.post(
        path,
        content_type=media_type,
        environ_overrides={"wsgi.input": Broken(error), "wsgi.input_terminated": True},
        headers={"Transfer-Encoding": "chunked"},
    )
    problem(answer, 400, "bad_request")
    assert answer.headers["Connection"] == "close"
    assert "internal_error" not in caplog.text


@pytest.mark.parametrize("coding", ["gzip, chunked", "deflate,chunked", "br"])
def test_a_transfer_coding_that_is_not_undone_is_a_501(api, coding):
    answer = api.post("/v1/jobs", json={"engine": "echo"}, headers={"Transfer-Encoding": coding})
    problem(answer, 501, "not_implemented")


def exchange(live, *pieces: bytes) -> bytes:
    """All that the server says to these bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", live.port), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", 417),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: br\r\n\r\n", 501),
    ],
)
def test_what_gunicorn_itself_refuses_is_a_problem_document(live, sent, status):
    head, _, body = exchange(live, sent).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), head
    assert b"\r\nContent-Type: application/problem+json" in head
    assert b"\r\nX-Content-Type-Options: nosniff" in head
    found = json.loads(body)
    assert found["status"] == status
    assert f"X-Request-ID: {found['instance']}".encode() in head
    assert b"\r\nConnection: close" in head


@pytest.mark.parametrize(
    "chunk",
    [b"-5\r\nabcde\r\n0\r\n\r\n", b"0x5\r\n{}\r\n", b"1_0\r\n{}\r\n", b"2;" + b"x" * 9000 + b"\r\n{}\r\n"],
)
def test_a_bad_chunk_gets_one_answer_and_the_log_no_traceback(live, live_key, chunk):
    head = (
        f"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {live_key}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    answer = exchange(live, head.encode() + chunk)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert "Traceback" not in live.log.read_text()


def test_a_bad_chunk_that_nobody_read_gets_no_second_answer(live):
    head = b"GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = exchange(live, head + b"-5\r\nabcde\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert "Traceback" not in live.log.read_text()


def test_headers_of_the_gateway_interface_are_nobody_s_to_send(live):
    for header in (b"SCRIPT_NAME: /x", b"PATH_INFO: /metrics"):
        answer = exchange(
            live, b"GET /x/metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + header + b"\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 404 "), answer


def test_two_slashes_are_another_path_and_the_host_is_never_repeated(live, api):
    for path in ("/v1//me?signature=abc", "//metrics"):
        sent = f"GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode()
        answer = exchange(live, sent)
        assert answer.startswith(b"HTTP/1.1 404 "), answer
        assert b"evil.example" not in answer
    problem(api.get("/v1//me"), 404, "not_found")
