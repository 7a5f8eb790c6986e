"""One message to real receivers: signed, bounded, and never into a private network."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.receivers import Receiver, receiver
from webhooks.deliveries import Due
from webhooks.endpoints import new_secret
from workers.outbound import FetchFailed, FetchRefused, checked
from workers.webhook_send import send

BODY = json.dumps({"type": "job.succeeded", "data": {"name": "\u00e4\U0001f600 <&>"}})


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def due(url: str, body: str = BODY, secret: str | None = None) -> Due:
    return Due(
        id="msg_1", owner_id="usr_1", job_id="job_1", event="succeeded", url=url, host="x", body=body,
        secret=secret or new_secret(), number=1, claimed_at=datetime.now(UTC), waited=0.0, left=86400.0,
    )  # fmt: skip


def test_the_reference_library_accepts_the_signature(server):
    secret = new_secret()

    answer = send(due(server.url, secret=secret), allow_private=True)

    assert (answer.status, answer.retry_after) == (204, None)
    (message,) = server.seen
    assert Webhook(secret).verify(message.body, message.headers) == json.loads(BODY)
    assert message.headers["content-type"] == "application/json"
    assert message.id == "msg_1"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(message.body + b" ", message.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(message.body, message.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(message.body, message.headers | {"webhook-id": "msg_2"})


def test_no_proxy_sees_it(server, monkeypatch):
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert send(due(server.url), allow_private=True).status == 204


@pytest.mark.parametrize("status", [200, 301, 302, 303, 400, 404, 410, 429, 500, 503])
def test_the_answer_is_the_status(server, status):
    server.answer = lambda _: (status, {"Location": "http://127.0.0.1:9/"})
    assert send(due(server.url), allow_private=True).status == status


@pytest.mark.parametrize("status", [307, 308])
def test_redirects_that_keep_the_message_are_followed(server, status):
    places = {"/hook": (status, {"Location": "/b"}), "/b": (200, {})}
    server.answer = lambda message: places[message.path]

    assert send(due(server.url), allow_private=True).status == 200

    assert [message.path for message in server.seen] == ["/hook", "/b"]
    assert server.seen[0].body == server.seen[1].body
    assert server.seen[0].headers["webhook-signature"] == server.seen[1].headers["webhook-signature"]


def test_redirects_end(server):
    server.answer = lambda _: (308, {"Location": "/again"})
    with pytest.raises(FetchRefused, match="redirects"):
        send(due(server.url), allow_private=True)
    assert len(server.seen) == 4


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.8/", "https://[fd00::1]/",
     "https://169.254.169.254/latest/meta-data", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::a00:1]/",
     "https://a:b@example.com/", "https://user@example.com/", "https://example.com:22/", "https://127.1/",
     "https://2130706433/", "https://0x7f.0.0.1/", "https://localhost/", "file:///etc/passwd", "nonsense",
     ""],
)  # fmt: skip
def test_it_goes_nowhere_private(url):
    with pytest.raises(FetchRefused):
        send(due(url), allow_private=False, timeout=5)


@pytest.mark.parametrize(
    "answer", [["10.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::ffff:10.0.0.1"], ["fd00::1"], ["::1"]]
)
def test_a_name_that_leads_inside_is_refused_as_it_is_connected_to(answer):
    asked = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return answer

    with pytest.raises(FetchRefused, match="private"):
        send(due("https://hooks.example/"), allow_private=False, resolver=resolver, timeout=5)
    assert asked == [("hooks.example", 443)]


@pytest.mark.parametrize(
    "place",
    ["http://169.254.169.254/latest", "http://inside.example/", "file:///etc/passwd", "http://a:b@127.0.0.1/",
     "http://0x7f.1/", "http://127.0.0.1:22/", "http://[", "https://[::1]/"],
)  # fmt: skip
def test_a_redirect_is_checked_like_the_first_url(server, monkeypatch, place):
    # Only this test's "public" server passes the check, as a public one would.
    monkeypatch.setattr("workers.outbound.is_public", lambda address: address == "127.0.0.1")
    monkeypatch.setattr(
        "workers.webhook_send.checked", lambda url, **how: checked(url, **(how | {"allow_http": True}))
    )
    server.answer = lambda _: (307, {"Location": place})

    with pytest.raises(FetchRefused):
        send(due(server.url), allow_private=False, resolver=lambda *_: ["10.0.0.1"], timeout=5)

    assert len(server.seen) == 1


def test_a_receiver_that_hangs_or_drips_is_left_in_time(server):
    released = threading.Event()

    def hang(_message):
        released.wait(20)
        return 204, {}

    server.answer = hang
    began = time.monotonic()
    with pytest.raises(FetchFailed, match="too long"):
        send(due(server.url), allow_private=True, timeout=0.5)
    assert time.monotonic() - began < 5
    released.set()


def test_a_dead_receiver_and_one_that_speaks_no_http(server):
    port = server.server_port
    server.shutdown()
    server.server_close()
    with pytest.raises(FetchFailed, match="reached"):
        send(due(f"http://127.0.0.1:{port}/"), allow_private=True, timeout=5)


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [("7", 7, 7), (" 120 ", 120, 120), ("9" * 50, 1e8, 1e10), ("0", 0, 0),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0)],
)  # fmt: skip
def test_a_wish_to_be_left_alone_is_understood(server, field, low, high):
    server.answer = lambda _: (429, {"Retry-After": field})
    assert low <= send(due(server.url), allow_private=True).retry_after <= high


def test_as_a_date_too(server):
    then = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    server.answer = lambda _: (503, {"Retry-After": then})
    assert 7000 < send(due(server.url), allow_private=True).retry_after <= 7200


@pytest.mark.parametrize("field", ["", "soon", "-5", "1.5", "\u00b2", "Wed, 99 Oct 99999 07:28:00 GMT"])
def test_or_ignored(server, field):
    server.answer = lambda _: (503, {"Retry-After": field})
    assert send(due(server.url), allow_private=True).retry_after is None
