"""What only a service across a network can get wrong."""

from __future__ import annotations

import io
import os
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from storage import open_storage
from storage.base import StorageUnavailable

BUCKET = "atelier-test"  # conftest.py's

pytestmark = pytest.mark.usefixtures("aws_credentials")


@contextmanager
def service(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A real HTTP service that answers every request with `answer`; gives a storage URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.close_connection = True
            left = int(self.headers.get("Content-Length") or 0)
            while part := self.rfile.read(min(left, 65536)):  # in pieces: one test measures memory
                left -= len(part)
            answer(self)

        do_PUT = do_HEAD = do_POST = do_DELETE = do_GET

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"s3://bucket?endpoint=http://127.0.0.1:{server.server_port}&region=us-east-1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def status(code: int) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


CALLS = {
    "put": lambda s: s.put("a", io.BytesIO(b"x")),
    "open": lambda s: s.open("a"),
    "stat": lambda s: s.stat("a"),
    "delete": lambda s: s.delete("a"),
    "list": lambda s: list(s.list("a")),
    "delete_all": lambda s: s.delete_all("a"),
    "check": lambda s: s.check(),
}


@pytest.mark.parametrize("call", ["put", "open", "list"])
def test_a_service_that_is_away_is_unavailable_soon(call: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, never listening: connections are refused
        storage = open_storage(f"s3://bucket?endpoint=http://127.0.0.1:{closed.getsockname()[1]}&region=x")
        begun = time.monotonic()

        with pytest.raises(StorageUnavailable):
            CALLS[call](storage)

        assert time.monotonic() - begun < 8


@pytest.mark.parametrize("call", ["put", "open", "stat", "delete", "list"])
@pytest.mark.parametrize("code", [403, 503])
def test_a_service_that_refuses_or_is_broken_is_unavailable(code: int, call: str) -> None:
    with service(status(code)) as url, pytest.raises(StorageUnavailable):
        CALLS[call](open_storage(url))


@pytest.mark.parametrize("call", ["put", "list", "delete_all", "check"])
def test_a_missing_bucket_is_unavailable(s3_endpoint: str, call: str) -> None:
    storage = open_storage(f"s3://no-such-bucket?endpoint={s3_endpoint}&region=us-east-1")

    with pytest.raises(StorageUnavailable, match=r"NoSuchBucket|no bucket"):
        CALLS[call](storage)


def test_missing_credentials_are_unavailable(s3_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    with pytest.raises(StorageUnavailable):
        open_storage(s3_url).stat("a")


def test_a_read_that_breaks_off_is_unavailable_and_never_short() -> None:
    def half(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        request.wfile.write(b"x" * 300_000)

    with service(half) as url, open_storage(url).open("a") as stream:
        stream.read(1000)
        with pytest.raises(StorageUnavailable, match="broke off"):
            stream.read()


def test_a_put_that_fails_midway_leaves_no_parts(s3_url: str, s3_client: Any, s3_prefix: str) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(size) or self.fail()

        def fail(self) -> bytes:
            raise TimeoutError("upload stalled")

    storage = open_storage(s3_url)

    with pytest.raises(TimeoutError, match="stalled"):
        storage.put("film", Failing(bytes(20 * 1024 * 1024)))

    uploads = s3_client.list_multipart_uploads(Bucket=BUCKET, Prefix=s3_prefix)
    assert uploads.get("Uploads", []) == []
    assert list(storage.list("")) == []


def test_a_put_buffers_a_few_parts_however_large_the_object() -> None:
    received = 0

    def swallow(request: BaseHTTPRequestHandler) -> None:
        # The smallest S3 that takes a multipart upload and keeps nothing.
        nonlocal received
        request.send_response(200)
        if "uploads" in request.path:
            body = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
        elif request.command == "POST":
            body = b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"
        else:
            received += int(request.headers["Content-Length"])
            body = b""
        request.send_header("ETag", '"e"')
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    class Zeros:
        left = 96 * 1024 * 1024

        def read(self, size: int) -> bytes:
            size = min(size, self.left)
            self.left -= size
            return bytes(size)

    with service(swallow) as url:
        tracemalloc.start()
        info = open_storage(url).put("film", Zeros())  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert info.size == received == 96 * 1024 * 1024
    # Four parts on their way and four read ahead, with room to copy one: never all twelve.
    assert peak < 80 * 1024 * 1024


def test_objects_lie_below_the_prefix_with_their_type(s3_url: str, s3_client: Any, s3_prefix: str) -> None:
    open_storage(s3_url).put("a/b.png", io.BytesIO(b"x"), media_type="image/png")

    found = s3_client.head_object(Bucket=BUCKET, Key=f"{s3_prefix}/a/b.png")
    assert found["ContentType"] == "image/png"


def test_foreign_keys_are_not_listed(s3_url: str, s3_client: Any, s3_prefix: str) -> None:
    for key in (f"{s3_prefix}/folder/", f"{s3_prefix}ed", "elsewhere", f"{s3_prefix}/a b"):
        s3_client.put_object(Bucket=BUCKET, Key=key, Body=b"")

    assert list(open_storage(s3_url).list("")) == []


def test_presigned_urls_name_the_public_endpoint_or_are_not_given(s3_url: str) -> None:
    public = open_storage(s3_url + "&public_endpoint=https://files.example.org")
    url = public.presigned_get("a", expires=60)
    assert url is not None
    assert url.startswith("https://files.example.org/")

    private = open_storage(s3_url + "&presign=no")
    assert private.presigned_get("a", expires=60) is None
    assert private.presigned_put("a", expires=60, media_type="image/png") is None


@pytest.mark.parametrize("expires", [0, -1, 8 * 86400])
def test_a_presigned_url_needs_a_life_that_s3_allows(s3_url: str, expires: float) -> None:
    with pytest.raises(ValueError, match="presigned"):
        open_storage(s3_url).presigned_get("a", expires=expires)


def test_a_forked_child_uses_connections_of_its_own(s3_url: str) -> None:
    storage = open_storage(s3_url)
    storage.put("a", io.BytesIO(b"x"))
    before = storage._client()  # type: ignore[attr-defined]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        assert storage._client() is not before  # type: ignore[attr-defined]
    assert storage._client() is before  # type: ignore[attr-defined]
