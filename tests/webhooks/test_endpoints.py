"""Endpoints and secrets: whose they are, which addresses they may have, how many there may be."""

from __future__ import annotations

import base64
import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.errors import BadURL, Conflict, NotFound
from jobs.models import Delivery
from jobs.news import DEFAULT_EVENTS, Event
from jobs.store import JobStore, NewJob
from jobs.store.outbox import host_of
from jobs.urls import is_public, target
from tests.jobs.conftest import owner
from webhooks.addresses import MAX_URL, check_url
from webhooks.endpoints import MAX_WEBHOOKS, WebhookStore

URL = "https://example.com/hook"
PRIVATE = "ATELIER_WEBHOOKS_ALLOW_PRIVATE"


@pytest.fixture
def webhooks(database) -> WebhookStore:
    return WebhookStore(database)


@pytest.fixture
def submit(database):
    """Accept a job, of one owner's if no other is named."""
    whose = owner(database)
    store = JobStore(database)
    return lambda owner_id=whose: store.submit(NewJob(owner_id, "echo", "cpu", params={}, seed=1))[0]


def test_an_endpoint_lives_from_creation_to_deletion(webhooks):
    ada = owner(webhooks.database)

    made = webhooks.create(ada, URL)

    assert (made.owner_id, made.url) == (ada, URL)
    assert made.events == [event.value for event in DEFAULT_EVENTS] == ["succeeded", "failed", "canceled"]
    assert [row.id for row in webhooks.all(ada)] == [made.id]
    assert webhooks.get(ada, made.id).secret == made.secret
    webhooks.delete(ada, made.id)
    assert webhooks.all(ada) == []
    with pytest.raises(NotFound):
        webhooks.delete(ada, made.id)


def test_nobody_reaches_another_s(webhooks):
    ada, bob = owner(webhooks.database), owner(webhooks.database, "bob")
    made = webhooks.create(ada, URL)

    assert webhooks.all(bob) == []
    for attempt in (webhooks.get, webhooks.delete, webhooks.change):
        with pytest.raises(NotFound):
            attempt(bob, made.id)
    assert webhooks.secret(ada) != webhooks.secret(bob)


def test_there_is_a_limit_also_for_requests_at_once(webhooks):
    ada = owner(webhooks.database)
    for _ in range(MAX_WEBHOOKS - 1):
        webhooks.create(ada, URL)
    results = []

    def create():
        try:
            results.append(webhooks.create(ada, URL))
        except Conflict as error:
            results.append(error.problem_code)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results.count("too_many_webhooks") == 3
    assert len(webhooks.all(ada)) == MAX_WEBHOOKS


def test_secrets_are_as_the_standard_writes_them(webhooks):
    ada = owner(webhooks.database)
    secrets = {webhooks.create(ada, URL).secret for _ in range(5)}
    secrets |= {webhooks.secret(ada), webhooks.rotate_secret(ada)}

    assert len(secrets) == 7
    for secret in secrets:
        assert secret.count("_") == 1
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


def test_the_secret_of_single_jobs_stays_until_it_is_rotated(webhooks):
    ada = owner(webhooks.database)
    first = webhooks.secret(ada)

    assert webhooks.secret(ada) == first
    second = webhooks.rotate_secret(ada)
    assert second != first
    assert webhooks.secret(ada) == second


def test_an_endpoint_hears_of_the_jobs_that_are_there_already(webhooks, submit):
    store = JobStore(webhooks.database)
    queued, running, ended = submit(), submit(), submit()
    bobs = submit(owner_id=owner(webhooks.database, "bob"))
    store.cancel(ended.id, ended.owner_id)
    assert not store.get(queued.id).notify

    webhooks.create(queued.owner_id, URL)

    heard = {job.id: store.get(job.id).notify for job in (queued, running, ended, bobs)}
    assert heard == {queued.id: True, running.id: True, ended.id: False, bobs.id: False}
    assert submit().notify
    assert not submit(owner_id=bobs.owner_id).notify


def test_what_waits_goes_to_the_new_address(webhooks, submit):
    store = JobStore(webhooks.database)
    job = submit()
    made = webhooks.create(job.owner_id, "https://old.example/hook")
    store.cancel(job.id, job.owner_id)

    changed = webhooks.change(job.owner_id, made.id, url="https://new.example:8443/hook")

    assert (changed.url, changed.secret, changed.events) == (
        "https://new.example:8443/hook",
        made.secret,
        made.events,
    )
    with webhooks.database.engine.connect() as connection:
        (row,) = connection.execute(Delivery.__table__.select())
    assert (row.url, row.host) == ("https://new.example:8443/hook", "new.example:8443")
    assert webhooks.change(job.owner_id, made.id, events=[Event.FAILED]).events == ["failed"]


HOSTILE = [
    "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "https://", "https:///a", "",
    "https://a:b@example.com/", "https://user@example.com/", "https://example.com/#fragment",
    "https://example.com/a b", "https://example.com/\n", "https://exam\0ple.com/", "https://ex\u00e4mple.com/",
    "https://example.com:22/", "https://example.com:0/", "https://example.com:99999/", "https://[::1",
    "https://127.0.0.1/", "https://10.1.2.3/", "https://169.254.169.254/latest", "https://[::1]/",
    "https://[::ffff:10.0.0.1]/", "https://[fe80::1%25eth0]/", "https://[fd00::1]/", "https://0.0.0.0/",
    "https://2130706433/", "https://0x7f.1/", "https://127.1/", "https://0177.0.0.1/", "https://127.0.0.1./",
    "https://localhost/", "https://LOCALHOST./", "https://a.localhost/", "https://metadata.google.internal/",
    "https://printer.local/", "https://example.com/" + "a" * MAX_URL,
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE)
def test_an_address_we_would_never_connect_to_is_refused(url):
    with pytest.raises(BadURL):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    ["https://example.com", "https://example.com:8443/a?b=c", "https://8.8.8.8/", "https://[2606:4700:4700::1111]/",
     "https://xn--exmple-cua.com/%C3%A4", "https://example.com/" + "a" * (MAX_URL - 20)],
)  # fmt: skip
def test_an_address_that_is_fine(url):
    check_url(url)


@pytest.mark.parametrize("said", ["1", "yes", "true", "ON"])
def test_an_operator_may_let_private_addresses_in(monkeypatch, said):
    monkeypatch.setenv(PRIVATE, said)
    for url in ("http://127.0.0.1:9000/hook", "http://localhost:81/", "https://10.0.0.1/", "http://[::1]:5/"):
        check_url(url)
    for url in ("ftp://10.0.0.1/", "http://a:b@10.0.0.1/", "http://10.0.0.1/#x", "http://127.1/"):
        with pytest.raises(BadURL):
            check_url(url)


@pytest.mark.parametrize("said", ["", "0", "no", "false"])
def test_and_by_default_does_not(monkeypatch, said):
    monkeypatch.setenv(PRIVATE, said)
    with pytest.raises(BadURL):
        check_url("http://127.0.0.1:9000/hook")


_PIECES = st.sampled_from(
    ["https", "http", "://", ":", "/", "//", "@", "#", "?", "[", "]", "%", "%00", "..", ".", "127.0.0.1",
     "::1", "10.0.0.1", "0x7f", "2130706433", "localhost", "example.com", "example", ".com", "443", "22", " ",
     "\t", "\\", "\0", "user", "xn--", "a" * 70, "\u3002", "\uff11", "\u2466", "\u00ad", "\u200b", "\ud800"]
)  # fmt: skip


@example("HTTPS://@A")  # an empty user, which httpx drops
@given(st.one_of(st.text(), st.lists(_PIECES, max_size=12).map("".join), st.lists(_PIECES, max_size=8).map(
    lambda pieces: "https://" + "".join(pieces))))  # fmt: skip
def test_whatever_is_sent_as_a_url_is_plain_or_refused(url):
    host_of(url)  # never raises: it runs within the transaction of a change of state
    try:
        check_url(url)
    except BadURL:
        return
    found = target(url)
    assert found.scheme == "https"
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url
    assert found.host == found.host.lower()
    assert "@" not in url.split("/")[2]
    assert found.port in (80, 443) or found.port >= 1024
    if found.host.replace(".", "").isdigit() or ":" in found.host:
        assert is_public(found.host)


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://EXAMPLE.com/a", "example.com"), ("https://example.com:443/", "example.com"),
     ("http://example.com:80/", "example.com"), ("https://example.com:8443/", "example.com:8443"),
     ("http://127.0.0.1:9/", "127.0.0.1:9"), ("nonsense", "")],
)  # fmt: skip
def test_the_line_an_address_stands_in(url, host):
    assert host_of(url) == host
