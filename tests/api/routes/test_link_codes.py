"""/v1/link-codes: a bot gets a key of whoever sends it a code."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from accounts.store import AccountStore
from tests.api.helpers import Api, problem


def redeem(client, code, **more):
    return client.post("/v1/link-codes/redeem", json={"code": code} | more)


def test_a_code_is_exchanged_once_for_a_key_of_its_owner(app, api, admin):
    # given
    answer = api.post("/v1/link-codes")
    assert answer.status_code == 201
    made = answer.json
    assert made.keys() == {"code", "expires_at"}
    assert re.fullmatch("[A-Za-z0-9_-]{20,48}", made["code"])
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=9) < left < timedelta(minutes=11)
    # when
    answer = redeem(admin, made["code"], name="telegram")
    # then
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    me = api.get("/v1/me").json
    found = answer.json
    assert (found["user"], found["user_id"], found["name"]) == ("ada", me["user_id"], "telegram")
    assert found["id"] != me["id"]
    linked = Api(app, found["key"])
    job_id = linked.job_id()
    assert api.get(f"/v1/jobs/{job_id}").status_code == 200
    assert linked.get("/v1/me").json["admin"] is False
    problem(redeem(admin, made["code"]), 404, "link_code_not_found")


def test_an_admin_s_code_gives_no_admin_key(app, admin):
    found = redeem(admin, admin.post("/v1/link-codes").json["code"]).json
    assert (found["user"], found["admin"]) == ("root", False)
    problem(Api(app, found["key"]).get("/v1/keys"), 403, "forbidden")


def test_the_key_may_do_no_more_than_the_one_that_asked(app, admin, make_key):
    small = Api(app, make_key("eve", rate_per_minute=7, max_upload_bytes=1000))
    found = redeem(admin, small.post("/v1/link-codes").json["code"]).json
    assert (found["rate_per_minute"], found["max_upload_bytes"]) == (7, 1000)


def test_only_an_admin_redeems_and_only_with_a_key_one_asks(api, anonymous):
    code = api.post("/v1/link-codes").json["code"]
    problem(redeem(api, code), 403, "forbidden")
    problem(redeem(anonymous, code), 401, "unauthorized")
    problem(anonymous.post("/v1/link-codes"), 401, "unauthorized")


def test_codes_that_are_none_and_of_keys_that_are_none_any_more_are_refused_alike(
    app, admin, make_key, store
):
    leaked = Api(app, make_key("ada"))
    code = leaked.post("/v1/link-codes").json["code"]
    AccountStore(store.database).revoke(leaked.get("/v1/me").json["id"])
    said = {
        problem(redeem(admin, one), 404, "link_code_not_found")["detail"]
        for one in (code, "link_" + "A" * 32, "", "x" * 5000, "/start \U0001f600")
    }
    assert len(said) == 1


@pytest.mark.parametrize(
    "body", [{}, {"code": 7}, {"code": None}, {"code": "a", "name": "a\0"}, {"code": "a", "user": "eve"}]
)
def test_requests_that_make_no_sense_are_refused(admin, body):
    problem(admin.post("/v1/link-codes/redeem", json=body), 422, "invalid_request")
