"""Owners and their limits; the cap on waiting jobs."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from accept import quota
from tests.api.helpers import claim, finish, problem
from tests.jobs.ageing import pass_days

DEFAULTS = {"max_running": 0, "max_queued": 20_000, "keep_days": 0.0, "max_stored_bytes": 50 * 1024**3}


@pytest.fixture
def ada(api):
    """Her owner id."""
    return api.get("/v1/me").json["user_id"]


def patch(client, owner_id, **changes):
    return client.request("PATCH", f"/v1/owners/{owner_id}", json=changes)


def test_owners_are_for_admins(api, ada):
    for answer in (api.get("/v1/owners"), api.get(f"/v1/owners/{ada}"), patch(api, ada, max_queued=1)):
        problem(answer, 403, "forbidden")


def test_an_owner_with_the_jobs_that_wait_and_run(api, admin, ada, store):
    for _ in range(4):
        api.job_id()
    api.post(f"/v1/jobs/{api.job_id()}/hold")
    claim(store)
    found = admin.get(f"/v1/owners/{ada}").json
    assert (found["name"], found["waiting"], found["running"]) == ("ada", 4, 1)
    assert (found["max_running"], found["max_queued"], found["keep_days"]) == (None, None, None)
    assert found["limits"] == DEFAULTS
    problem(admin.get(f"/v1/owners/usr_{'0' * 32}"), 404, "not_found")


def test_owners_come_in_pages_newest_first(admin, make_key):
    for n in range(5):
        make_key(f"o{n}")
    first = admin.get("/v1/owners?limit=4").json
    second = admin.get(f"/v1/owners?limit=4&cursor={first['next_cursor']}").json
    names = [one["name"] for page in (first, second) for one in page["owners"]]
    assert names == ["o4", "o3", "o2", "o1", "o0", "root"]
    assert second["next_cursor"] is None


def test_limits_are_changed_one_by_one_and_given_back_to_the_default(api, admin, ada):
    assert patch(admin, ada, max_running=2, keep_days=1.5).status_code == 200
    changed = patch(admin, ada, max_queued=7).json
    assert (changed["max_running"], changed["max_queued"], changed["keep_days"]) == (2, 7, 1.5)
    changed = {"max_running": 2, "max_queued": 7, "keep_days": 1.5}
    assert api.get("/v1/me").json["limits"] == DEFAULTS | changed
    back = patch(admin, ada, max_running=None).json
    assert (back["max_running"], back["limits"]["max_running"], back["max_queued"]) == (None, 0, 7)
    assert patch(admin, ada).json == back


@pytest.mark.parametrize(
    "change",
    [
        {"max_running": -1},
        {"max_queued": 2**31},
        {"keep_days": -0.1},
        {"keep_days": 1e9},
        {"max_stored_bytes": -1},
        {"name": "eve"},
    ],
)
def test_limits_that_make_no_sense_are_refused(admin, ada, change):
    problem(patch(admin, ada, **change), 422, "invalid_request")


def test_limits_of_nobody(admin):
    problem(patch(admin, f"usr_{'0' * 32}", max_queued=1), 404, "not_found")


def test_a_kept_result_says_when_it_expires_and_an_expired_one_that_it_did(api, admin, ada, store, storage):
    job_id = api.job_id()
    finish(store, storage)
    assert api.get(f"/v1/jobs/{job_id}").json["expires_at"] is None
    patch(admin, ada, keep_days=7)
    view = api.get(f"/v1/jobs/{job_id}").json
    ended, expires = (datetime.fromisoformat(view[name]) for name in ("finished_at", "expires_at"))
    assert expires - ended == timedelta(days=7)
    assert not view["data_removed"]

    pass_days(store.database, 8)
    store.expire_results(ada, 7 * 86400)
    view = api.get(f"/v1/jobs/{job_id}").json
    assert (view["state"], view["data_removed"], view["artifacts"]) == ("succeeded", True, [])
    assert view["expires_at"] is None


def test_over_the_cap_a_submission_is_refused_until_a_place_is_free(api, other, admin, ada):
    patch(admin, ada, max_queued=3)
    jobs = [api.job_id() for _ in range(3)]
    refused = api.submit()
    problem(refused, 429, "too_many_queued")
    assert refused.headers["Retry-After"] == str(quota.RETRY_SECONDS), "nothing has ended yet"
    assert other.submit().status_code == 202

    api.post(f"/v1/jobs/{jobs[0]}/cancel")
    api.app.extensions["atelier"].quota._counts.clear()  # a second later
    assert api.submit().status_code == 202


def test_an_idempotent_repeat_is_no_new_job(api, admin, ada):
    patch(admin, ada, max_queued=1)
    key = {"Idempotency-Key": "k"}
    first = api.submit(headers=key)
    assert api.submit(headers=key).json["id"] == first.json["id"]
    problem(api.submit(), 429, "too_many_queued")
