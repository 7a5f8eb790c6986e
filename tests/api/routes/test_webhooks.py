"""Webhooks and deliveries over the API: whose they are, what they show, what is refused."""

from __future__ import annotations

import json
import time

import pytest
from standardwebhooks.webhooks import Webhook

from tests.api.helpers import Api, claim, finish, problem
from webhooks.deliveries import DeliveryState, DeliveryStore
from webhooks.endpoints import MAX_WEBHOOKS
from workers.webhook_send import headers

URL = "https://example.com/hook"
NO_WEBHOOK = "/v1/webhooks/whk_" + "0" * 32
NO_DELIVERY = "/v1/deliveries/msg_" + "0" * 32


def create(api: Api, **values) -> dict:
    answer = api.post("/v1/webhooks", json={"url": URL} | values)
    assert answer.status_code == 201, answer.text
    return answer.json


def deliveries(api: Api, query: str = "") -> list[dict]:
    answer = api.get(f"/v1/deliveries{query}")
    assert answer.status_code == 200, answer.text
    return answer.json["deliveries"]


def test_a_webhook_is_made_seen_changed_and_deleted(api):
    answer = api.post("/v1/webhooks", json={"url": URL, "events": ["failed", "queued", "failed"]})
    made = answer.json

    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/webhooks/{made['id']}"
    assert made["secret"].startswith("whsec_")
    assert made["events"] == ["queued", "failed"]
    shown = {name: value for name, value in made.items() if name != "secret"}
    assert api.get(f"/v1/webhooks/{made['id']}").json == shown
    assert api.get("/v1/webhooks").json == {"webhooks": [shown]}

    changed = api.request("PATCH", f"/v1/webhooks/{made['id']}", json={"events": ["progress"]})
    assert changed.json == shown | {"events": ["progress"]}
    changed = api.request("PATCH", f"/v1/webhooks/{made['id']}", json={"url": "https://new.example/"})
    assert changed.json == shown | {"events": ["progress"], "url": "https://new.example/"}

    assert api.delete(f"/v1/webhooks/{made['id']}").status_code == 204
    assert api.get("/v1/webhooks").json == {"webhooks": []}
    problem(api.get(f"/v1/webhooks/{made['id']}"), 404, "not_found")


def test_without_events_it_hears_how_jobs_end(api):
    assert create(api)["events"] == ["succeeded", "failed", "canceled"]


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "https://127.0.0.1/", "https://169.254.169.254/", "https://localhost/",
     "https://a:b@example.com/", "https://example.com/#a", "https://example.com:22/", "https://2130706433/"],
)  # fmt: skip
@pytest.mark.parametrize("where", ["endpoint", "change", "job"])
def test_an_address_inside_is_refused_wherever_it_is_named(api, url, where):
    if where == "endpoint":
        answer = api.post("/v1/webhooks", json={"url": url})
    elif where == "change":
        answer = api.request("PATCH", f"/v1/webhooks/{create(api)['id']}", json={"url": url})
    else:
        answer = api.post("/v1/jobs", json={"engine": "echo", "params": {}, "webhook": {"url": url}})

    problem(answer, 422, "bad_url")


def test_an_operator_may_let_private_addresses_in(api, monkeypatch):
    monkeypatch.setenv("ATELIER_WEBHOOKS_ALLOW_PRIVATE", "yes")
    assert create(api, url="http://127.0.0.1:9000/hook")["url"] == "http://127.0.0.1:9000/hook"


@pytest.mark.parametrize(
    "wrong",
    [{}, {"url": "nonsense"}, {"url": 5}, {"url": URL, "events": []}, {"url": URL, "events": ["done"]},
     {"url": URL, "secret": "whsec_x"}, {"url": f"{URL}/{'a' * 2048}"}, {"url": "https://a b/"}],
)  # fmt: skip
def test_a_webhook_that_does_not_fit_its_description(api, wrong):
    problem(api.post("/v1/webhooks", json=wrong), 422, "invalid_request")


def test_there_is_a_limit(api, other):
    for _ in range(MAX_WEBHOOKS):
        create(api)
    problem(api.post("/v1/webhooks", json={"url": URL}), 409, "too_many_webhooks")
    create(other)


def test_nobody_sees_or_touches_another_s(api, other, admin):
    made = create(api)
    api.job_id()
    api.post(f"/v1/jobs/{api.job_id()}/cancel")
    (delivery,) = deliveries(api)

    for stranger in (other, admin):
        assert stranger.get("/v1/webhooks").json == {"webhooks": []}
        assert deliveries(stranger) == []
        assert deliveries(stranger, f"?webhook={made['id']}") == []
        assert deliveries(stranger, f"?job={delivery['job_id']}") == []
        problem(stranger.get(f"/v1/webhooks/{made['id']}"), 404, "not_found")
        problem(stranger.delete(f"/v1/webhooks/{made['id']}"), 404, "not_found")
        problem(stranger.request("PATCH", f"/v1/webhooks/{made['id']}", json={}), 404, "not_found")
        problem(stranger.get(f"/v1/deliveries/{delivery['id']}"), 404, "not_found")
        problem(stranger.post(f"/v1/deliveries/{delivery['id']}/redeliver"), 404, "not_found")
    secrets = {who.get("/v1/webhooks/secret").json["secret"] for who in (api, other, admin)}
    assert len(secrets) == 3
    assert made["id"] in api.get("/v1/webhooks").text


def test_without_a_key_there_is_nothing(anonymous):
    for method, path in [
        ("GET", "/v1/webhooks"), ("POST", "/v1/webhooks"), ("GET", NO_WEBHOOK), ("DELETE", NO_WEBHOOK),
        ("GET", "/v1/webhooks/secret"), ("POST", "/v1/webhooks/secret/rotate"), ("GET", "/v1/deliveries"),
        ("GET", NO_DELIVERY), ("POST", f"{NO_DELIVERY}/redeliver"),
    ]:  # fmt: skip
        problem(anonymous.request(method, path), 401, "unauthorized")


def test_what_is_not_there_is_a_404(api):
    problem(api.get(NO_WEBHOOK), 404, "not_found")
    problem(api.get(NO_DELIVERY), 404, "not_found")
    problem(api.post(f"{NO_DELIVERY}/redeliver"), 404, "not_found")


def test_the_secret_of_single_jobs_is_kept_until_it_is_rotated(api):
    first = api.get("/v1/webhooks/secret").json["secret"]
    assert api.get("/v1/webhooks/secret").json["secret"] == first
    second = api.post("/v1/webhooks/secret/rotate").json["secret"]
    assert second != first
    assert api.get("/v1/webhooks/secret").json["secret"] == second


def test_a_job_s_webhook_is_told_of_its_end(api, store, storage):
    own = {"url": URL, "events": ["started", "succeeded"]}
    answer = api.post("/v1/jobs", json={"engine": "echo", "params": {"text": "x"}, "webhook": own})
    assert answer.status_code == 202, answer.text
    finish(store, storage)

    ended, started = deliveries(api)

    assert (started["event"], ended["event"]) == ("started", "succeeded")
    assert ended["job_id"] == answer.json["id"]
    assert ended["webhook_id"] is None
    assert (ended["state"], ended["attempts"]) == ("pending", 0)
    assert ended["given_up_at"] > ended["next_attempt_at"] >= ended["created_at"]
    whole = api.get(f"/v1/deliveries/{ended['id']}").json
    assert whole == ended | {"body": whole["body"], "log": []}
    assert whole["body"]["type"] == "job.succeeded"
    assert [a["name"] for a in whole["body"]["data"]["artifacts"]] == ["echo.txt"]
    # and the secret that is shown is the one that signs
    found = DeliveryStore(store.database).claim("example.com", 9, lease_seconds=60)
    due = next(one for one in found if one.id == ended["id"])
    secret = api.get("/v1/webhooks/secret").json["secret"]
    assert Webhook(secret).verify(due.body.encode(), headers(due, int(time.time()))) == json.loads(due.body)


def test_the_log_shows_every_try_and_a_failed_one_is_sent_again(api, store):
    made = create(api)
    api.post(f"/v1/jobs/{api.job_id()}/cancel")
    log = DeliveryStore(store.database)
    (due,) = log.claim("example.com", 9, lease_seconds=60)
    log.report(due, state=DeliveryState.FAILED, seconds=0.25, status=500, error="The receiver answered 500.")

    (failed,) = deliveries(api, "?state=failed")

    assert (failed["webhook_id"], failed["attempts"]) == (made["id"], 1)
    assert failed["next_attempt_at"] is failed["given_up_at"] is None
    (attempt,) = api.get(f"/v1/deliveries/{failed['id']}").json["log"]
    at = attempt.pop("at")
    assert attempt == {"number": 1, "status": 500, "error": "The receiver answered 500.", "seconds": 0.25}
    assert at >= failed["created_at"]
    again = api.post(f"/v1/deliveries/{failed['id']}/redeliver")
    assert again.status_code == 202
    assert (again.json["id"], again.json["state"]) == (failed["id"], "pending")
    (due,) = log.claim("example.com", 9, lease_seconds=60)
    assert (due.id, due.number) == (failed["id"], 2)


def test_deliveries_page_by_page(api):
    create(api, events=["queued"])
    jobs = [api.job_id() for _ in range(5)]

    first = api.get("/v1/deliveries?limit=3").json
    second = api.get(f"/v1/deliveries?limit=3&cursor={first['next_cursor']}").json

    shown = [d["job_id"] for d in first["deliveries"] + second["deliveries"]]
    assert shown == jobs[::-1]
    assert second["next_cursor"] is None
    assert [d["job_id"] for d in deliveries(api, f"?job={jobs[2]}")] == [jobs[2]]
    assert deliveries(api, "?state=delivered") == []


@pytest.mark.parametrize(
    "query", ["?state=sent", "?job=1", "?cursor=x", "?limit=0", "?limit=101", "?owner=x"]
)
def test_a_filter_that_makes_no_sense(api, query):
    assert api.get(f"/v1/deliveries{query}").status_code == 400


def test_jobs_that_nobody_wants_to_hear_of_write_nothing(api, store):
    api.job_id()
    claim(store)
    assert deliveries(api) == []
