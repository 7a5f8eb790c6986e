"""GET /v1/jobs?id=...: many jobs in one request, each as GET /v1/jobs/{job_id} has it."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from api.routes.jobs import MOST_IDS
from fleet.store import FleetStore
from jobs.store import JobStore
from tests.api.helpers import claim, finish, problem

NOBODYS = "job_" + "0" * 32


def asked(client, ids, **more):
    query = [("id", job_id) for job_id in ids] + list(more.items())
    return client.get("/v1/jobs", query_string=query)


def still(job):
    """A job without what differs from one request to the next: seconds waited, the URL's signature."""
    differs = {"timings", "artifacts", "forecast"}
    return {k: v for k, v in job.items() if k not in differs} | {"files": [a["id"] for a in job["artifacts"]]}


@pytest.fixture
def ids(api, store, storage):
    """One that succeeded, one that runs, three in line, one on hold, one canceled."""
    report = {"hostname": "h", "pid": 1, "queues": ["cpu"], "engines": ["echo"], "weights": []}
    FleetStore(store.database).report("wrk_test", **report, device=None)
    made = [api.job_id(text=str(number)) for number in range(7)]
    finish(store, storage)
    claim(store)
    api.post(f"/v1/jobs/{made[5]}/hold")
    api.post(f"/v1/jobs/{made[6]}/cancel")
    return made


def test_each_is_as_it_is_alone(api, ids):
    together = asked(api, ids).json
    alone = [api.get(f"/v1/jobs/{job_id}").json for job_id in reversed(ids)]
    assert [still(job) for job in together["jobs"]] == [still(job) for job in alone]
    assert [job["queue_position"] for job in together["jobs"]] == [None, None, 3, 2, 1, None, None]
    for job, same in zip(together["jobs"], alone, strict=True):
        assert (job["forecast"] is None) == (same["forecast"] is None)
        assert (job["forecast"] or {}).get("starts_in") == (same["forecast"] or {}).get("starts_in")
    assert [bool(job["forecast"]) for job in together["jobs"]] == [False, True, True, True, True, True, False]
    assert together["jobs"][4]["forecast"]["starts_in"] == 0.0, "a worker is idle, and it is the first"
    assert together["next_cursor"] is None


def test_only_these_come_and_others_are_left_out(api, other, admin, ids):
    theirs = other.job_id()
    wanted = [ids[2], theirs, NOBODYS, ids[0], ids[2]]
    assert [job["id"] for job in asked(api, wanted).json["jobs"]] == [ids[2], ids[0]]
    assert [job["id"] for job in asked(other, wanted).json["jobs"]] == [theirs]
    assert asked(admin, wanted).json["jobs"] == []
    assert [job["id"] for job in asked(admin, wanted, all="true").json["jobs"]] == [theirs, ids[2], ids[0]]
    problem(asked(api, wanted, all="true"), 403, "forbidden")
    assert asked(api, [NOBODYS]).json == {"jobs": [], "next_cursor": None}


def test_the_other_filters_hold_as_well(api, ids):
    assert [job["id"] for job in asked(api, ids, state="running").json["jobs"]] == [ids[1]]
    assert asked(api, ids, engine="neural_style").json["jobs"] == []
    page = asked(api, ids[:3], limit=2).json
    assert [job["id"] for job in page["jobs"]] == [ids[2], ids[1]]
    rest = asked(api, ids[:3], limit=2, cursor=page["next_cursor"]).json
    assert ([job["id"] for job in rest["jobs"]], rest["next_cursor"]) == ([ids[0]], None)


def test_without_ids_no_position_is_told(api):
    job_id = api.job_id()
    (listed,) = api.get("/v1/jobs").json["jobs"]
    assert (listed["id"], listed["queue_position"], listed["forecast"]) == (job_id, None, None)


@pytest.mark.parametrize(
    "wanted", [["job_1"], [NOBODYS, ""], ["art_" + "0" * 32], [NOBODYS] * (MOST_IDS + 1), [NOBODYS + "\n"]]
)
def test_what_is_no_list_of_ids_is_a_400(api, wanted):
    problem(asked(api, wanted), 400, "invalid_request")


def statements(store, work):
    said = []

    def note(_connection, _cursor, statement, *_more):
        if "FROM api_keys" not in statement:  # a key is looked up again every few seconds
            said.append(statement)

    event.listen(store.database.engine, "before_cursor_execute", note)
    work()
    event.remove(store.database.engine, "before_cursor_execute", note)
    return said


def test_a_hundred_take_as_many_statements_as_two(api, ids, store):
    more = [api.job_id() for _ in range(MOST_IDS - len(ids))]
    asked(api, ids)  # what such jobs took and who works is remembered for some seconds
    few = statements(store, lambda: asked(api, ids[:3]))
    many = statements(store, lambda: asked(api, ids + more))
    assert len(many) == len(few) == 3, "the rows, the results, the line"
    assert "jobs.id IN" in many[0]


def test_as_many_as_may_be_asked_for_fit_into_a_request_line(live, live_database, live_key):
    store = JobStore(live_database)
    with live.client(live_key) as client:
        made = client.post("/v1/jobs", json={"engine": "echo", "params": {}}).json()["id"]
        ids = [f"job_{n:032x}" for n in range(MOST_IDS - 1)] + [made]
        answer = client.get("/v1/jobs", params=[("all", "false"), *(("id", one) for one in ids)])
        assert answer.status_code == 200, answer.text
        assert [job["id"] for job in answer.json()["jobs"]] == [made]
    store.cancel(made, None)
