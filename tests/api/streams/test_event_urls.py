"""URLs by which a web page opens a job's event stream."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from accounts.store import AccountStore
from api.streams import event_urls
from tests.api.helpers import Api, finish, problem


@pytest.fixture
def job_id(api, store, storage) -> str:
    """A job that has ended: its stream ends by itself."""
    made = api.job_id()
    finish(store, storage)
    return made


def url_of(client, job_id: str) -> str:
    answer = client.post(f"/v1/jobs/{job_id}/events/url")
    assert answer.status_code == 201, answer.text
    left = datetime.fromisoformat(answer.json["expires_at"]) - datetime.now(UTC)
    assert event_urls.LIFETIME - 60 < left.total_seconds() <= event_urls.LIFETIME
    return str(answer.json["url"])


def changed(url: str, **values: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{urlencode(dict(parse_qsl(parts.query)) | values)}"


def test_such_a_url_opens_the_stream_without_a_key(api, anonymous, job_id):
    problem(anonymous.get(f"/v1/jobs/{job_id}/events"), 401, "unauthorized")
    url = url_of(api, job_id)
    for _ in range(2):  # a browser whose connection broke comes back
        answer = anonymous.get(url)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert "event: done" in answer.text


def test_of_a_job_that_is_not_yours_there_is_none(other, admin, anonymous, job_id):
    problem(other.post(f"/v1/jobs/{job_id}/events/url"), 404, "not_found")
    problem(anonymous.post(f"/v1/jobs/{job_id}/events/url"), 401, "unauthorized")
    assert "event: done" in anonymous.get(url_of(admin, job_id)).text


def test_it_is_for_one_job_one_key_and_some_minutes(api, other, anonymous, job_id, monkeypatch):
    url = url_of(api, job_id)
    theirs = other.get("/v1/me").json["id"]
    second = api.job_id()
    forged = [
        changed(url, key=theirs),
        changed(url, key="key_" + "0" * 32),
        changed(url, expires=str(int(time.time()) + 10_000)),
        changed(url, signature="x"),
        changed(url).replace(job_id, second),
        changed(url).replace("/events", "/preview"),
    ]
    for bad in forged:
        problem(anonymous.get(bad), 403, "bad_signature")
    # nor does another signature of ours open it
    preview = api.app.extensions["atelier"].signer.sign(f"/v1/jobs/{job_id}/events")
    problem(anonymous.get(preview), 403, "bad_signature")
    later = time.time() + event_urls.LIFETIME + 1
    monkeypatch.setattr(time, "time", lambda: later)
    problem(anonymous.get(url), 403, "url_expired")


def test_it_ends_with_its_key(api, anonymous, store, job_id):
    url = url_of(api, job_id)
    AccountStore(store.database).revoke(api.get("/v1/me").json["id"])
    api.app.extensions["atelier"].keyring.forget()  # some seconds later
    problem(anonymous.get(url), 401, "unauthorized")


def test_it_counts_as_its_key_s_request(make_app, make_key, store, storage):
    app = make_app(rate_per_minute=4)
    api = Api(app, make_key())
    job = api.job_id()
    finish(store, storage)
    url = url_of(api, job)
    assert [Api(app, None).get(url).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("told", ["abc", "", "-1", "1e3", "9" * 40, "job_1", "\xb2"])
def test_a_last_event_id_that_is_none_is_none(api, job_id, told):
    answer = api.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": told})
    assert answer.status_code == 200
    assert answer.text.count("event: ") == api.get(f"/v1/jobs/{job_id}/events").text.count("event: ") > 1
