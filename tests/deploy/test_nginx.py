"""deploy/nginx.conf: nginx itself takes it, and it does in front of the real API what it says."""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from pathlib import Path
from threading import Thread

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from accounts.store import AccountStore
from api import gunicorn
from api.settings import Settings
from jobs.database import Database
from jobs.store import JobStore
from tests.api.conftest import serve
from tests.api.helpers import claim, picture, problem, read_events
from tests.conftest import missing
from tests.ports import own_port

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx.conf"
MEBIBYTE = 1024 * 1024


def nginx() -> str:
    # Debian keeps it where only root's PATH leads.
    found = shutil.which("nginx", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if found is None:
        missing("nginx (the Debian package)")
    return str(found)


@dataclass
class Proxy:
    """A running nginx."""

    http: int
    https: int
    certificate: Path
    errors: Path

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def client(self, key: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.https}", headers=headers, verify=self.tls(), timeout=20
        )

    def connect(self, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", self.https), timeout=10)
        return (context or self.tls()).wrap_socket(raw, server_hostname="127.0.0.1")


def make_certificate(folder: Path) -> Path:
    """A self-signed certificate of this machine, with its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "atelier.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "atelier.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "atelier.crt"


def adapted(folder: Path, changes: dict[str, str]) -> Path:
    """The configuration with this machine's ports and folders; each change must find its place."""
    text = CONFIGURATION.read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "nginx.conf"
    path.write_text(text)
    return path


@contextmanager
def running(folder: Path, api_port: int, bots: tuple[int, int] | None = None) -> Iterator[Proxy]:
    http, https = own_port(), own_port()
    first, second = bots or (own_port(), own_port())
    certificate = make_certificate(folder)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    configuration = adapted(
        folder,
        {
            # The workers of a test keep the user that started it.
            "user www-data;\n": "user root;\n" if os.geteuid() == 0 else "",
            "pid /run/nginx.pid;": f"pid {folder}/nginx.pid;",
            "/var/log/nginx/": f"{folder}/",
            "    sendfile on;\n": "".join(f"    {kind}_temp_path {folder}/{kind};\n" for kind in kinds),
            "        listen [::]:80 default_server;\n": "",
            "        listen [::]:80;\n": "",
            "        listen [::]:443 ssl http2 default_server;\n": "",
            "        listen [::]:443 ssl http2;\n": "",
            "listen 80;": f"listen 127.0.0.1:{http};",
            "listen 80 default_server;": f"listen 127.0.0.1:{http} default_server;",
            "listen 443 ": f"listen 127.0.0.1:{https} ",
            "server 127.0.0.1:8080;": f"server 127.0.0.1:{api_port};",
            "server 127.0.0.1:8090;": f"server 127.0.0.1:{first};",
            "server 127.0.0.1:8091;": f"server 127.0.0.1:{second};",
            "/etc/nginx/tls/": f"{folder}/",
            "server_name atelier.example.org;": "server_name 127.0.0.1;",
            "worker_processes auto;": "worker_processes 2;",
        },
    )
    base = [nginx(), "-p", str(folder), "-e", str(folder / "start.log"), "-c", str(configuration)]
    tested = subprocess.run([*base, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert "[emerg]" not in tested.stderr
    process = subprocess.Popen([*base, "-g", "daemon off;"])
    try:
        give_up = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", https), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < give_up
                time.sleep(0.05)
        yield Proxy(http, https, certificate, folder / "error.log")
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, migrated_sqlite) -> Path:
    made = tmp_path_factory.mktemp("nginx")
    shutil.copy(migrated_sqlite, made / "atelier.db")
    return made


@pytest.fixture(scope="module")
def proxy(folder) -> Iterator[Proxy]:
    with serve(folder) as api, running(folder, api.port) as made:
        yield made


@pytest.fixture(scope="module")
def store(folder) -> Iterator[JobStore]:
    database = Database(f"sqlite:///{folder}/atelier.db")
    yield JobStore(database)
    database.close()


@pytest.fixture
def key(store) -> str:
    return AccountStore(store.database).create_key("ada")[0]


@pytest.fixture
def client(proxy, key) -> Iterator[httpx.Client]:
    with proxy.client(key) as made:
        yield made


def directive(name: str) -> list[str]:
    return re.findall(rf"^\s*{name}\s+([^;]+);", CONFIGURATION.read_text(), re.MULTILINE)


# --- the numbers -------------------------------------------------------------------------------------


def test_the_limits_fit_the_api_s():
    largest, network, update = (
        int(size.removesuffix("m")) * MEBIBYTE for size in directive("client_max_body_size")
    )
    assert update == MEBIBYTE  # some kilobytes, as a rule
    assert largest == Settings().max_upload_bytes + MEBIBYTE
    assert network == Settings().max_network_bytes + MEBIBYTE
    (idle,) = directive("keepalive_timeout")
    assert int(idle.removesuffix("s")) < gunicorn.keepalive
    assert f"server {gunicorn.bind};" in CONFIGURATION.read_text()


def test_no_location_loses_the_security_headers():
    """An `add_header` within a location would replace all of the server's."""
    locations = re.findall(
        r"^ +location [^{\n]*\{.*?\}", CONFIGURATION.read_text(), flags=re.DOTALL | re.MULTILINE
    )
    assert len(locations) > 5
    assert not [text for text in locations if "add_header" in text]


# --- what it does -------------------------------------------------------------------------------------


def test_http_is_sent_to_https(proxy):
    answer = httpx.post(f"http://127.0.0.1:{proxy.http}/v1/jobs?wait=5")
    assert answer.status_code == 308
    assert answer.headers["Location"] == "https://127.0.0.1/v1/jobs?wait=5"
    assert httpx.get(f"http://127.0.0.1:{proxy.http}/.well-known/acme-challenge/x").status_code == 404


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_another_name_is_not_ours_to_answer_for(proxy, scheme):
    port = proxy.https if scheme == "https" else proxy.http
    with httpx.Client(base_url=f"{scheme}://127.0.0.1:{port}", verify=proxy.tls()) as client:
        for path in ("/v1/me", "/.well-known/acme-challenge/x"):
            answer = client.get(path, headers={"Host": "evil.example"})
            assert answer.status_code == 421
            assert "evil.example" not in f"{answer.headers}{answer.text}"


def test_only_modern_tls_and_http2(proxy):
    modern = proxy.tls()
    modern.set_alpn_protocols(["h2", "http/1.1"])
    with proxy.connect(modern) as connection:
        assert connection.version() == "TLSv1.3"
        assert connection.selected_alpn_protocol() == "h2"
    old = proxy.tls()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        proxy.connect(old)


def test_an_upload_and_a_job_pass_through(client, store):
    uploaded = client.post("/v1/files", files={"file": ("photo.png", picture(), "image/png")})
    assert uploaded.status_code == 201, uploaded.text
    assert uploaded.headers["Location"] == f"/v1/files/{uploaded.json()['id']}"
    assert client.get(uploaded.json()["url"]).content == picture()

    submitted = client.post("/v1/jobs", json={"engine": "echo"})
    assert submitted.status_code == 202, submitted.text
    assert claim(store).id == submitted.json()["id"]


def test_one_request_id_in_both_logs(client, folder):
    assert client.get("/v1/me", headers={"X-Request-ID": "from-a-client"}).headers["X-Request-ID"] == (
        "from-a-client"
    )
    made = client.get("/v1/me?secret=1", headers={"X-Request-ID": "not an id"}).headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", made)
    # nginx writes its line after the answer has left.
    give_up = time.monotonic() + 5
    while f'"request_id":"{made}"' not in (log := (folder / "access.log").read_text()):
        assert time.monotonic() < give_up, log
        time.sleep(0.05)
    assert '"request_id":"from-a-client"' in log
    assert "secret" not in log


def test_events_arrive_one_by_one(client, store):
    job = client.post("/v1/jobs", json={"engine": "echo"}).json()
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        events = read_events(response)
        assert next(events).data["state"] == "queued"
        row = claim(store)
        assert row.id == job["id"]
        assert next(events).data["state"] == "running"
        # when the job goes on in small steps, then each is told before the next is made
        for step in range(1, 4):
            began = time.monotonic()
            store.beat(row.id, row.attempt, lease_seconds=60, progress=step / 4, message=f"step {step}")
            assert next(events).data["message"] == f"step {step}"
            assert time.monotonic() - began < 2
        store.succeed(row.id, row.attempt, [])
        assert [event.name for event in events] == ["state", "done"]


def test_slow_uploads_keep_no_thread_of_the_api(proxy, client, key):
    """More of them than the API has threads (8); they are complete only after somebody else was answered."""
    body = b'{"engine": "echo"}'
    head = (
        f"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with ExitStack() as after:
        slow = [after.enter_context(proxy.connect()) for _ in range(12)]
        for connection in slow:
            connection.sendall(head.encode() + body[:5])
        assert client.get("/v1/me").status_code == 200
        for connection in slow:
            connection.sendall(body[5:])
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda connection: connection.recv(12), slow))
    assert answers == [b"HTTP/1.1 202"] * 12


@pytest.mark.parametrize("length", [Settings().max_upload_bytes + 1, 66 * MEBIBYTE])
def test_too_large_a_body_is_explained(client, length):
    """By the API below nginx's limit, by nginx above it: the same document."""

    def parts() -> Iterator[bytes]:
        yield from islice(iter(lambda: bytes(MEBIBYTE), None), length // MEBIBYTE)
        yield bytes(length % MEBIBYTE)

    head = {"Content-Type": "application/json", "Content-Length": str(length)}
    try:
        answer = client.post("/v1/jobs", content=parts(), headers=head)
    except httpx.WriteError:
        pytest.fail("the connection was cut before the answer")
    problem(answer, 413, "too_large")


def test_what_asks_for_no_key_stays_inside(client):
    for path in ("/metrics", "/healthz", "/readyz", "//metrics", "/v1/../metrics", "/%6detrics"):
        # Written out: httpx takes what follows two slashes for a host.
        answer = client.get(f"{str(client.base_url).rstrip('/')}{path}")
        assert answer.status_code == 404, path
        assert b"atelier_" not in answer.content


def test_security_headers_are_there_once(client):
    for path, policy in (("/v1/me", "frame-ancestors 'none'"), ("/v1/nothing", "frame-ancestors 'none'")):
        headers = client.get(path).headers
        assert headers["Strict-Transport-Security"] == "max-age=63072000"
        assert headers.get_list("X-Content-Type-Options") == ["nosniff"]
        assert headers.get_list("Content-Security-Policy") == [policy]
        assert headers.get_list("Referrer-Policy") == ["same-origin"]
        assert headers["Server"] == "nginx"
    # then the page that needs a policy of its own keeps it
    (docs,) = client.get("/docs").headers.get_list("Content-Security-Policy")
    assert "script-src" in docs or "default-src" in docs


def test_the_api_is_told_who_asked(tmp_path):
    """And not what the client says of itself."""
    heard: dict[str, str] = {}

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.update(self.headers.items())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is its failures."""

    with HTTPServer(("127.0.0.1", 0), Api) as api, running(tmp_path, api.server_port) as proxy:
        Thread(target=api.handle_request, daemon=True).start()
        with proxy.client() as client:
            claimed = {"X-Forwarded-For": "8.8.8.8", "X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "x"}
            assert client.get("/", headers=claimed).status_code == 204
    assert heard["X-Forwarded-For"] == "127.0.0.1"
    assert heard["X-Forwarded-Proto"] == "https"
    assert heard["X-Forwarded-Host"] == heard["Host"] == "127.0.0.1"
    assert re.fullmatch("[0-9a-f]{32}", heard["X-Request-ID"])


class Bots:
    """Two processes at one webhook, either of which can die."""

    def __init__(self) -> None:
        self.updates: list[tuple[int, str, bytes]] = []
        heard = self.updates

        class Bot(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                heard.append((self.server.server_port, self.headers["X-Telegram-Bot-Api-Secret-Token"], body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: a test's output is its failures."""

        self.servers = [HTTPServer(("127.0.0.1", 0), Bot) for _ in range(2)]
        self.ports = (self.servers[0].server_port, self.servers[1].server_port)
        for server in self.servers:
            Thread(target=server.serve_forever, daemon=True).start()

    def end(self, number: int) -> None:
        self.servers[number].shutdown()
        self.servers[number].server_close()


def test_updates_reach_the_bot_s_processes_and_only_updates(tmp_path):
    bots = Bots()
    secret = {"X-Telegram-Bot-Api-Secret-Token": "s3cret"}

    def send(number: int) -> int:
        return client.post("/telegram", content=b'{"update_id": %d}' % number, headers=secret).status_code

    with running(tmp_path, own_port(), bots.ports) as proxy, proxy.client() as client:
        assert [send(number) for number in range(4)] == [200] * 4
        assert {port for port, *_ in bots.updates} == set(bots.ports)
        assert {told for _, told, _ in bots.updates} == {"s3cret"}
        # nothing else of the bot is outside
        assert client.get("/telegram").status_code == 403
        assert client.post("/telegram/healthz").status_code == 503  # the API's, which is away
        problem(client.post("/telegram", content=bytes(2 * MEBIBYTE)), 413, "too_large")
        # when one dies, the other gets all of it
        bots.end(0)
        assert [send(number) for number in range(4, 8)] == [200] * 4
        assert sorted(body for *_, body in bots.updates) == [b'{"update_id": %d}' % n for n in range(8)]
        # when both are gone, Telegram is told to come again
        bots.end(1)
        assert send(8) == 503


def test_an_api_that_is_away_is_a_problem_document(tmp_path):
    with running(tmp_path, own_port()) as proxy, proxy.client() as client:
        answer = client.get("/v1/me")
        assert answer.status_code == 503
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Retry-After"] == "3"
        assert answer.json()["code"] == "unavailable"
        assert answer.json()["instance"]
