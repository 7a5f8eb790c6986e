"""URLs that carry their own permission."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlsplit

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
