"""Connections to strangers' servers: what a name leads to is checked as it is connected to, and in time."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable

import pytest

from tests.receivers import Receiver, receiver
from workers.outbound import FetchFailed, FetchRefused, Guard, checked, pool, redirected, request, ssl_context

Resolver = Callable[[str, int], list[str]]


@pytest.fixture(scope="module")
def context() -> ssl.SSLContext:
    return ssl_context()


@pytest.fixture
def server():
    with receiver() as made:
        yield made


def ask(
    url: str,
    context: ssl.SSLContext,
    *,
    resolver: Resolver | None = None,
    allow: bool = False,
    seconds: float = 5.0,
) -> tuple[int, dict[bytes, str]]:
    """POST to it; status and header fields of the answer."""
    deadline = time.monotonic() + seconds
    to = checked(url, allow_http=allow, allow_private=allow)
    guard = Guard(allow, deadline, resolver)
    with (
        pool(guard, context) as made,
        request(made, "POST", to, {"X-Of": "ours"}, deadline, b"body") as answer,
    ):
        status, fields, _ = answer
        return status, fields


@pytest.mark.parametrize(
    "answer", [["10.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::ffff:10.0.0.1"], ["fd00::1"], ["nonsense"]]
)
def test_a_name_with_any_private_address_is_refused(answer: list[str], context) -> None:
    with pytest.raises(FetchRefused, match="private"):
        ask("https://images.example/", context, resolver=lambda *_: answer)


def test_localhost_is_refused_by_the_systems_resolver(context) -> None:
    with pytest.raises(FetchRefused, match="private"):
        ask("https://localhost/", context)


def test_an_address_is_asked_of_nobody(context) -> None:
    def resolver(*_: object) -> list[str]:
        raise AssertionError("nothing is to be looked up")

    with pytest.raises(FetchRefused, match="private"):
        ask("https://10.0.0.1/", context, resolver=resolver)


def test_a_slow_name_server_ends_with_the_total_time(context) -> None:
    done = threading.Event()

    def resolver(_host: str, _port: int) -> list[str]:
        done.wait(10)
        return ["93.184.215.14"]

    begun = time.monotonic()
    with pytest.raises(FetchFailed, match="in time"):
        ask("https://images.example/", context, resolver=resolver, seconds=0.3)
    assert time.monotonic() - begun < 2
    done.set()


def _unknown(_host: str, _port: int) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "unknown")


def _too_long(_host: str, _port: int) -> list[str]:
    raise UnicodeError("label too long")


@pytest.mark.parametrize(
    ("resolver", "error", "words"),
    [
        (_unknown, FetchFailed, "could not be found"),
        (lambda *_: [], FetchFailed, "could not be found"),
        (_too_long, FetchRefused, "no valid host name"),
    ],
    ids=["unknown", "no address", "no name"],
)
def test_a_name_that_leads_nowhere(resolver: Resolver, error: type[Exception], words: str, context) -> None:
    with pytest.raises(error, match=words):
        ask("https://images.example/", context, resolver=resolver)


def test_once_the_time_is_over_nothing_is_connected_to(server: Receiver, context) -> None:
    with pytest.raises(FetchFailed, match="too long"):
        ask(server.url, context, allow=True, seconds=-1.0)
    assert server.seen == []


@pytest.mark.parametrize("host", ["127.0.0.1", "hooks.example"])
def test_what_is_sent(server: Receiver, context, host: str) -> None:
    asked = []

    def resolver(*where: object) -> list[str]:
        asked.append(where)
        return ["127.0.0.1"]

    server.answer = lambda _: (202, {"X-Said": "caf\u00e9"})
    port = server.server_port
    status, fields = ask(f"http://{host}:{port}/a%20b?c=d", context, resolver=resolver, allow=True)
    assert (status, fields[b"x-said"]) == (202, "caf\u00e9")
    (message,) = server.seen
    assert (message.path, message.body) == ("/a%20b?c=d", b"body")
    sent = {"host": f"{host}:{port}", "user-agent": "atelier", "connection": "close", "x-of": "ours"}
    assert message.headers | sent == message.headers
    assert asked == ([] if host == "127.0.0.1" else [(host, port)])


def test_nothing_of_the_environment_leads_elsewhere(server: Receiver, context, monkeypatch) -> None:
    """A proxy would resolve the name itself, out of our sight."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert ask(server.url, context, allow=True)[0] == 204


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("../c", "https://example.com/c"),
        ("//other.example/d", "https://other.example/d"),
        ("http://other.example:81/", "http://other.example:81/"),
        ("?e", "https://example.com/a/b?e"),
    ],
    ids=["path", "host", "scheme", "query"],
)
def test_where_a_redirect_leads(location: str, url: str) -> None:
    assert redirected("https://example.com/a/b", location) == url


@pytest.mark.parametrize("location", ["https://example.com:port/", "https://exam\0ple.com/"])
def test_or_nowhere(location: str) -> None:
    with pytest.raises(FetchRefused, match="no URL"):
        redirected("https://example.com/", location)
