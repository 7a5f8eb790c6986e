"""Which addresses a webhook may have."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.errors import BadURL
from jobs.store.outbox import host_of
from jobs.urls import is_public, target
from webhooks.addresses import MAX_URL, check_url

PRIVATE = "ATELIER_WEBHOOKS_ALLOW_PRIVATE"


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
