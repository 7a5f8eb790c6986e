"""Fetching from real servers on the loopback, which is also the first thing that must be refused."""

from __future__ import annotations

import datetime
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.jobs.test_urls import PRIVATE
from workers.fetch import FetchFailed, FetchRefused, fetch

BODY = b"picture" * 1000
Answer = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """Answers by path from `answers` and notes what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients that hang up are the point of half of these tests


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.server.answers[self.path](self)
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


def say(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def running(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    yield from running(Server())


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for images.example, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "images.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("images.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[Server]:
    server = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)  # type: ignore[assignment]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.names = names  # type: ignore[attr-defined]
    yield from running(server)


def get(server: Server, path: str, target: Path, **options: Any) -> None:
    """Fetch from the test's server, which the fleet's own network would be allowed to."""
    options = {"max_bytes": 100_000, "timeout": 5, "allow_private": True, "allow_http": True, **options}
    fetch(f"http://127.0.0.1:{server.server_port}{path}", target, **options)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "input"
    yield path
    assert {p.name for p in tmp_path.iterdir()} <= {"input"}, "a partial file was left behind"


def test_a_file_is_fetched(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # no proxy may see the request
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    server.answers["/a?b=c"] = say(body=BODY, Set_Cookie="a=b")

    get(server, "/a?b=c", target)

    assert target.read_bytes() == BODY
    headers = server.seen[0][1]
    assert headers["host"] == f"127.0.0.1:{server.server_port}"
    assert headers["accept-encoding"] == "identity"
    assert not {"cookie", "authorization", "referer"} & headers.keys()


@pytest.mark.parametrize(
    ("accept", "said"),
    [
        ((), "*/*"),
        (("image/png", "image/jpeg"), "image/*, */*;q=0.5"),
        (("audio/mpeg", "video/mp4", "audio/ogg"), "audio/*, video/*, */*;q=0.5"),
    ],
    ids=["anything", "pictures", "sounds"],
)
def test_the_server_is_told_what_is_wanted(server: Server, target: Path, accept, said) -> None:
    server.answers["/a"] = say(body=BODY)
    get(server, "/a", target, accept=accept)
    assert server.seen[0][1]["accept"] == said


def test_https_verifies_the_name_and_connects_to_the_address(
    tls_server: Server, target: Path, certificate: Path
) -> None:
    tls_server.answers["/a"] = say(body=BODY)
    asked = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    port = tls_server.server_port
    context = ssl.create_default_context(cafile=str(certificate))
    options: dict[str, Any] = {
        "max_bytes": 10**6, "timeout": 5, "allow_private": True, "resolver": resolver, "ssl_context": context
    }  # fmt: skip

    fetch(f"https://images.example:{port}/a", target, **options)

    assert target.read_bytes() == BODY
    assert asked == [("images.example", port)]  # once: what was checked is what was connected to
    assert tls_server.names == ["images.example"]  # type: ignore[attr-defined]
    assert tls_server.seen[0][1]["host"] == f"images.example:{port}"
    with pytest.raises(FetchRefused, match="certificate"):
        fetch(f"https://other.example:{port}/a", target, **options)
    with pytest.raises(FetchRefused, match="certificate"):
        fetch(f"https://images.example:{port}/a", target, **(options | {"ssl_context": None}))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a", "ftp://example.com/a", "file:///etc/passwd", "gopher://example.com",
        "//example.com",
        "example.com/a", "", "https://", "https:///a", "https://user@example.com/", "https://a:b@example.com/",
        "https://example.com:22/", "https://example.com:25/", "https://example.com:99999/",
        "https://example.com:0/", "https://exa mple.com/",
        "https://example.com%2f@127.0.0.1/", "https://[::1", "https://[fe80::1%25eth0]/", "https://exam\0ple.com/",
        "https://" + "a" * 9000, "https://a..b/", "https://" + "a" * 70 + ".com/", "data:image/png,x",
    ],
)  # fmt: skip
def test_a_url_that_is_not_plain_https_is_refused(url: str, target: Path) -> None:
    with pytest.raises(FetchRefused):
        fetch(url, target, max_bytes=10, timeout=5)


@pytest.mark.parametrize("address", PRIVATE[:-6])
def test_a_private_address_in_the_url_is_refused(address: str, target: Path) -> None:
    host = f"[{address}]" if ":" in address else address

    with pytest.raises(FetchRefused, match="private"):
        fetch(f"https://{host}/latest/meta-data", target, max_bytes=10, timeout=5)


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "127.0.1", "017700000001", "127.0.0.1.",
     "127.0.0.0x1", "08.8.8.8", "1.2.3.4.5", "999.1.1.1", "１２７.0.0.1", "127。0。0。1", "①②⑦.0.0.1", "0x"],
)  # fmt: skip
def test_odd_spellings_of_addresses_are_refused(host: str, target: Path) -> None:
    with pytest.raises(FetchRefused):
        fetch(f"https://{host}/", target, max_bytes=10, timeout=5)


def test_a_redirect_is_checked_like_the_first_url(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only this test's "public" server passes the check, as a public one would.
    monkeypatch.setattr("workers.outbound.is_public", lambda address: address == "127.0.0.1")
    places = {
        "/metadata": "http://169.254.169.254/latest/meta-data",
        "/inside": "http://inside.example/",
        "/file": "file:///etc/passwd",
        "/user": "http://a:b@127.0.0.1/",
        "/odd": "http://0x7f.1/",
        "/port": "http://127.0.0.1:22/",
        "/broken": "http://[",
    }
    for path, place in places.items():
        server.answers[path] = say(302, Location=place)
        with pytest.raises(FetchRefused):
            get(server, path, target, allow_private=False, resolver=lambda *_: ["10.0.0.1"])


def test_a_redirect_from_https_to_http_is_refused(
    tls_server: Server, server: Server, target: Path, certificate: Path
) -> None:
    tls_server.answers["/a"] = say(301, Location=f"http://127.0.0.1:{server.server_port}/b")
    context = ssl.create_default_context(cafile=str(certificate))

    with pytest.raises(FetchRefused, match="https"):
        fetch(
            f"https://images.example:{tls_server.server_port}/a", target, max_bytes=10, timeout=5,
            allow_private=True, resolver=lambda *_: ["127.0.0.1"], ssl_context=context,
        )  # fmt: skip

    assert server.seen == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int, server: Server, target: Path) -> None:
    server.answers["/a/b"] = say(status, Location="../c")
    server.answers["/c"] = say(body=BODY)

    get(server, "/a/b", target)

    assert target.read_bytes() == BODY


def test_too_many_redirects_are_refused(server: Server, target: Path) -> None:
    for i in range(10):
        server.answers[f"/{i}"] = say(302, Location=f"/{i + 1}")
    server.answers["/loop"] = say(302, Location="/loop")
    server.answers["/10"] = say(body=BODY)

    get(server, "/5", target)
    for path in ("/4", "/loop"):
        server.seen.clear()
        with pytest.raises(FetchRefused, match="redirects"):
            get(server, path, target)
        assert len(server.seen) == 6


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 204, 206, 304])
def test_an_answer_that_will_not_change_is_refused(status: int, server: Server, target: Path) -> None:
    server.answers["/a"] = say(status)

    with pytest.raises(FetchRefused, match=str(status)):
        get(server, "/a", target)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_an_answer_that_may_change_is_a_failure(status: int, server: Server, target: Path) -> None:
    server.answers["/a"] = say(status)

    with pytest.raises(FetchFailed, match=str(status)):
        get(server, "/a", target)


def test_a_body_that_is_too_large_is_refused_declared_or_not(server: Server, target: Path) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(bytes(65536))

    server.answers["/declared"] = say(body=b"", Content_Length="1000000000")
    server.answers["/endless"] = endless
    server.answers["/fits"] = say(body=bytes(100_000))

    get(server, "/fits", target)
    for path in ("/declared", "/endless"):
        with pytest.raises(FetchRefused, match=r"larger than 0\.1 MB"):
            get(server, path, target)


def test_a_body_shorter_than_declared_is_a_failure(server: Server, target: Path) -> None:
    def half_a_chunk(request: BaseHTTPRequestHandler) -> None:
        request.protocol_version = "HTTP/1.1"
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"ff\r\nshort")

    server.answers["/short"] = say(body=b"short", Content_Length="100")
    server.answers["/chunk"] = half_a_chunk

    for path in ("/short", "/chunk"):
        with pytest.raises(FetchFailed):
            get(server, path, target)
    assert not target.exists()


def test_compressed_answers_are_refused(server: Server, target: Path) -> None:
    server.answers["/a"] = say(body=b"\x1f\x8b", Content_Encoding="gzip")

    with pytest.raises(FetchRefused, match="compressed"):
        get(server, "/a", target)


@pytest.mark.parametrize("where", ["headers", "body", "silence"])
def test_a_slow_drip_ends_with_the_total_time(where: str, server: Server, target: Path) -> None:
    def drip(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.0 200 OK\r\n" + (b"\r\n" if where == "body" else b""))
        for _ in range(100):
            time.sleep(0.05)
            if where != "silence":
                request.wfile.write(b"x")

    server.answers["/a"] = drip
    begun = time.monotonic()

    with pytest.raises(FetchFailed, match="too long"):
        get(server, "/a", target, timeout=0.5)

    assert 0.4 < time.monotonic() - begun < 2


def test_a_closed_port_is_a_failure_and_the_next_address_is_tried(server: Server, target: Path) -> None:
    server.answers["/a"] = say(body=BODY)
    url = f"http://images.example:{server.server_port}/a"
    options: dict[str, Any] = {"max_bytes": 10**6, "timeout": 5, "allow_private": True, "allow_http": True}

    with pytest.raises(FetchFailed, match="reached"):
        fetch(url, target, resolver=lambda *_: ["127.0.0.2"], **options)
    fetch(url, target, resolver=lambda *_: ["127.0.0.2", "127.0.0.1"], **options)

    assert target.read_bytes() == BODY


def test_what_is_no_http_is_a_failure(server: Server, target: Path) -> None:
    server.answers["/a"] = lambda request: request.wfile.write(b"220 mail.example ESMTP\r\n")
    server.answers["/huge"] = lambda request: request.wfile.write(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 300_000)

    for path in ("/a", "/huge"):
        with pytest.raises(FetchFailed):
            get(server, path, target)


def test_an_existing_file_survives_a_failure(server: Server, target: Path) -> None:
    target.write_bytes(b"old")
    server.answers["/short"] = say(body=b"short", Content_Length="100")

    with pytest.raises(FetchFailed):
        get(server, "/short", target)

    assert target.read_bytes() == b"old"
