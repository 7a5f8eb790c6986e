"""Keys: who may do what, and until when."""

from __future__ import annotations

import pytest

from tests.api.helpers import Api, problem


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer nonsense", "Basic YTpi", "nonsense", "Bearer \xff\xfe"]
)
def test_without_a_valid_key_everything_is_a_401(app, header):
    api = Api(app, None)
    headers = {} if header is None else {"Authorization": header}
    for method, path in [
        ("GET", "/v1/me"), ("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", "/v1/engines"),
        ("POST", "/v1/files"), ("GET", "/v1/keys"), ("GET", "/v1/jobs/job_" + "0" * 32 + "/events"),
        ("GET", "/v1/files/art_" + "0" * 32 + "/content"),
    ]:  # fmt: skip
        answer = api.request(method, path, headers=headers)
        problem(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_me_tells_whose_key_it_is(api):
    me = api.get("/v1/me").json
    assert (me["user"], me["admin"]) == ("ada", False)
    assert api.key.startswith(me["prefix"])
    assert "key" not in me


def test_an_admin_makes_lists_and_revokes_keys(admin, app):
    # given
    answer = admin.post("/v1/keys", json={"user": "eve", "name": "laptop", "rate_per_minute": 7})
    assert answer.status_code == 201
    made = answer.json
    eve = Api(app, made["key"])
    assert eve.get("/v1/me").json["rate_per_minute"] == 7
    assert made["id"] in {k["id"] for k in admin.get("/v1/keys").json["keys"]}
    assert made["key"] not in admin.get("/v1/keys").text
    # when
    assert admin.delete(f"/v1/keys/{made['id']}").status_code == 204
    # then
    problem(eve.get("/v1/me"), 401, "unauthorized")
    problem(admin.delete(f"/v1/keys/{made['id']}"), 404, "not_found")
    revoked = next(k for k in admin.get("/v1/keys").json["keys"] if k["id"] == made["id"])
    assert revoked["revoked_at"] is not None


@pytest.mark.parametrize(
    "body", [{}, {"user": ""}, {"user": "a\0"}, {"user": "x" * 101}, {"user": "a", "rate_per_minute": 0}]
)
def test_keys_that_make_no_sense_are_refused(admin, body):
    problem(admin.post("/v1/keys", json=body), 422, "invalid_request")


def test_others_may_not_touch_keys(api):
    problem(api.get("/v1/keys"), 403, "forbidden")
    problem(api.post("/v1/keys", json={"user": "me", "admin": True}), 403, "forbidden")
    problem(api.delete("/v1/keys/key_" + "0" * 32), 403, "forbidden")


def test_everybody_sees_and_revokes_their_own_keys_and_no_others(api, other, app, make_key):
    # given
    lost = Api(app, make_key("ada", name="a lost laptop"))
    own = api.get("/v1/me/keys").json["keys"]
    assert {key["id"] for key in own} == {api.get("/v1/me").json["id"], lost.get("/v1/me").json["id"]}
    assert {key["user"] for key in own} == {"ada"}
    assert lost.key not in api.get("/v1/me/keys").text
    (lost_id,) = [key["id"] for key in own if key["name"] == "a lost laptop"]
    # when somebody else tries
    problem(other.delete(f"/v1/me/keys/{lost_id}"), 404, "not_found")
    assert lost.get("/v1/me").status_code == 200
    # and when she does
    assert api.delete(f"/v1/me/keys/{lost_id}").status_code == 204
    # then
    problem(lost.get("/v1/me"), 401, "unauthorized")
    assert [key["revoked_at"] is None for key in api.get("/v1/me/keys").json["keys"]] == [False, True]
    problem(api.delete(f"/v1/me/keys/{lost_id}"), 404, "not_found")


def test_a_key_may_end_itself_and_an_admin_s_ends_no_others_by_this_path(api, admin):
    problem(admin.delete(f"/v1/me/keys/{api.get('/v1/me').json['id']}"), 404, "not_found")
    assert api.delete(f"/v1/me/keys/{api.get('/v1/me').json['id']}").status_code == 204
    problem(api.get("/v1/me"), 401, "unauthorized")
