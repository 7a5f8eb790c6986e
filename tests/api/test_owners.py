"""Owners and their limits; the cap on waiting jobs."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, insert, text

from accept import quota
from accept.quota import Quota
from jobs.accounts import AccountStore
from jobs.errors import NotFound, TooManyQueued
from jobs.models import Job
from jobs.store import JobStore, NewJob
from tests.api.helpers import claim, finish, problem
from tests.jobs.ageing import pass_days
from tests.jobs.conftest import owner

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


# --- the count, apart from HTTP ----------------------------------------------------------------------


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Process:
    """The quota of one API process, and what it lets through."""

    def __init__(self, database, clock):
        self.store = JobStore(database)
        self.quota = Quota(self.store, AccountStore(database), clock)
        self.counts = 0
        waiting = self.store.waiting

        def counted(*args):
            self.counts += 1
            return waiting(*args)

        self.store.waiting = counted

    def submit(self, owner_id):
        """Whether the job was accepted."""
        try:
            self.quota.check(owner_id)
        except TooManyQueued:
            return False
        self.store.submit(NewJob(owner_id=owner_id, engine="e", queue="cpu", params={}, seed=1))
        return True


@pytest.fixture
def capped(database):
    """An owner who may have 320 jobs waiting."""
    owner_id = owner(database)
    AccountStore(database).set_limits(owner_id, {"max_queued": 320})
    return owner_id


def test_one_process_is_exact_and_counts_seldom(database, capped):
    process = Process(database, Clock())
    assert [process.submit(capped) for _ in range(330)] == [True] * 320 + [False] * 10
    assert process.counts < 90, "20 at first, then a sixteenth of the room each; a refusal is remembered"
    assert process.store.waiting(capped, 1000) == 320


def test_several_processes_stay_within_a_sixteenth_of_the_cap_for_each_further_one(database, capped):
    """The worst order: all have counted while there was all the room, and one of them fills it."""
    processes = [Process(database, Clock()) for _ in range(4)]
    assert all(process.submit(capped) for process in processes)
    for process in processes:
        while process.submit(capped):
            pass
    waiting = processes[0].store.waiting(capped, 1000)
    assert 320 < waiting <= 320 + 3 * 320 // 16


def test_a_count_is_old_after_ten_seconds_and_a_refusal_after_one(database, capped):
    clock = Clock()
    first, second = Process(database, clock), Process(database, clock)
    assert first.submit(capped)
    while second.submit(capped):
        pass
    clock.now += quota.TTL + 0.1
    assert not first.submit(capped), "counted anew"

    second.store.cancel(second.store.page(capped, limit=1)[0].id, None)
    assert not first.submit(capped), "it was full a moment ago"
    clock.now += quota.FULL_TTL + 0.1
    assert first.submit(capped)


def test_without_a_cap_nothing_is_counted(database):
    owner_id = owner(database)
    AccountStore(database).set_limits(owner_id, {"max_queued": 0})
    process = Process(database, Clock())
    assert all(process.submit(owner_id) for _ in range(3))
    assert process.counts == 0


def test_a_count_that_was_overtaken_is_not_remembered(database, capped):
    """Another thread counted, and went on, while this one's count was on its way."""
    process = Process(database, Clock())
    slow = process.store.waiting

    def overtaken(*args):
        found = slow(*args)
        process.store.waiting = slow
        while process.submit(capped):
            pass
        return found

    process.store.waiting = overtaken
    assert process.submit(capped), "there was room when it was counted"
    assert not process.submit(capped)
    assert process.store.waiting(capped, 1000) == 321


def test_how_long_to_wait_is_how_often_a_job_ends(database, capped):
    process = Process(database, Clock())
    AccountStore(database).set_limits(capped, {"max_queued": 10})
    for _ in range(10):
        assert process.submit(capped)
    for _ in range(4):
        (row,) = process.store.claim("wrk_1", "cpu", engines=["e"], lease_seconds=60)
        process.store.succeed(row.id, row.attempt, [])
        pass_days(database, 5 / 86400)
    process.quota.forget(capped)
    for _ in range(4):
        assert process.submit(capped)
    with pytest.raises(TooManyQueued) as refused:
        process.quota.check(capped)
    assert 5 <= refused.value.extra["retry_after"] <= 6, "four in twenty seconds"
    pass_days(database, 1)
    process.quota.forget(capped)
    with pytest.raises(TooManyQueued) as refused:
        process.quota.check(capped)
    assert refused.value.extra["retry_after"] == quota.MOST_RETRY_SECONDS


def test_an_owner_who_is_not_there_is_somebody_else_s_to_refuse(database):
    process = Process(database, Clock())
    process.quota.check("usr_none")
    with pytest.raises(NotFound):
        process.quota.limits("usr_none")


def test_the_counts_stay_on_their_indexes(database):
    """With 20,000 jobs of 20 owners, in every state, neither reads the table from end to end."""
    store = JobStore(database)
    owners = [owner(database, f"o{n}") for n in range(20)]
    standings = [
        {"state": "queued", "hold": None, "turn": 7},
        {"state": "queued", "hold": "behind", "turn": None},
        {"state": "queued", "hold": "owner", "turn": None},
        {"state": "running", "hold": None, "turn": 7},
        {"state": "succeeded", "hold": None, "turn": None},
    ]

    def fill(connection):
        values = {"engine": "e", "queue": "cpu", "params": {}, "seed": 1}
        rows = [
            values | standings[n // 20 % 5] | {"id": f"job_{n:032x}", "owner_id": owners[n % 20]}
            for n in range(20_000)
        ]
        connection.execute(insert(Job), rows)

    database.write(fill)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    plans = []

    def explain(connection, _cursor, statement, parameters, _context, _many):
        cursor = connection.connection.cursor()
        cursor.execute(("EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN ") + statement, parameters)
        plans.append("\n".join(str(row) for row in cursor.fetchall()))
        cursor.close()

    event.listen(database.engine, "before_cursor_execute", explain)
    try:
        assert store.waiting(owners[3], 10_000) == 600
        assert store.standing(owners[3:5]) == {owners[3]: (600, 200), owners[4]: (600, 200)}
    finally:
        event.remove(database.engine, "before_cursor_execute", explain)
    for plan in plans:
        assert not re.search(r"Seq Scan on jobs|SCAN jobs\b(?! USING)", plan), plan
    (counting, *_) = plans
    assert "ix_jobs_turns" in counting, counting
    assert "ix_jobs_behind" in counting, counting
