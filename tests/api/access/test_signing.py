"""URLs that carry their own permission."""

from __future__ import annotations

import time
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from api.access import signing
from api.access.signing import LIFETIME, Signer
from jobs.errors import Forbidden
from tests.api.helpers import Api, picture, problem


def test_a_signed_url_needs_no_key_and_ignores_one(api, anonymous, make_app):
    url = api.upload().json["url"]
    assert anonymous.get(url).data == picture()
    assert anonymous.get(url, headers={"Authorization": "Bearer nonsense"}).data == picture()
    assert "attachment" in anonymous.get(url + "&download=1").headers["Content-Disposition"]
    # the secret is shared by all processes
    assert Api(make_app(), None).get(url).data == picture()


def test_a_signed_url_that_was_changed_is_refused(api, anonymous):
    url = api.upload().json["url"]
    parts = urlsplit(url)
    query = {k: v[0] for k, v in parse_qs(parts.query).items()}
    another = api.upload().json["id"]
    for path, changed in [
        (parts.path, query | {"expires": str(int(query["expires"]) + 1)}),
        (parts.path, query | {"signature": query["signature"][:-2] + "AA"}),
        (parts.path, query | {"signature": ""}),
        (parts.path, {"signature": query["signature"]}),
        (f"/v1/files/{another}/content", query),
    ]:
        problem(anonymous.get(path, query_string=changed), 403, "bad_signature")
    answer = anonymous.get(parts.path, query_string=query | {"expires": "x"})
    problem(answer, 400, "invalid_request")
    problem(anonymous.get(parts.path), 401, "unauthorized")


def test_a_signed_url_expires(api, anonymous, monkeypatch):
    url = api.upload().json["url"]
    later = time.time() + 2 * 3600
    monkeypatch.setattr("api.access.signing.time.time", lambda: later)
    problem(anonymous.get(url), 403, "url_expired")


@pytest.fixture
def clock(monkeypatch):
    found = SimpleNamespace(now=1_800_000_000.0)
    monkeypatch.setattr(signing, "time", SimpleNamespace(time=lambda: found.now))
    return found


def expiry(url: str) -> int:
    return int(parse_qs(urlsplit(url).query)["expires"][0])


def test_who_polls_gets_the_same_url_for_a_while(clock):
    """So that a browser takes the picture from its cache."""
    signer = Signer(lambda: "secret")
    urls = set()
    for _ in range(20):
        urls.add(signer.sign("/a"))
        clock.now += 60
    assert len(urls) == 2


@pytest.mark.parametrize("passed", [0, 1, 599.9])
def test_a_url_lasts_as_long_as_it_is_promised_and_little_longer(clock, passed):
    clock.now += passed
    assert LIFETIME <= expiry(Signer(lambda: "secret").sign("/a")) - clock.now <= LIFETIME + 600


def test_what_is_added_to_a_url_is_not_signed_and_what_it_leads_to_is():
    signer = Signer(lambda: "secret")
    url = signer.sign("/a", download="1")
    assert parse_qs(urlsplit(url).query)["download"] == ["1"]
    expires = str(expiry(url))
    signer.check("/a", expires, signer.signature("/a", expires))
    with pytest.raises(Forbidden):
        signer.check("/b", expires, signer.signature("/a", expires))
    with pytest.raises(Forbidden):
        signer.check("/a", expires, Signer(lambda: "another").signature("/a", expires))


def test_a_signature_that_is_no_text_of_ours_is_only_wrong():
    with pytest.raises(Forbidden):
        Signer(lambda: "secret").check("/a", "1", "\u017c\u0142")


def test_the_secret_is_read_when_it_is_needed_and_once():
    asked = []
    signer = Signer(lambda: asked.append(1) or "secret")
    assert asked == []
    signer.sign("/a")
    signer.sign("/b")
    assert asked == [1]
