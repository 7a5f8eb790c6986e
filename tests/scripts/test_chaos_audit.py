"""The chaos audit finds what it is there to find: a sound house passes it, and each doctored one does not."""

from __future__ import annotations

import hashlib
import io
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from flask import Flask
from sqlalchemy import text

from accounts.store import AccountStore
from api import create_app
from api.settings import Settings
from jobs.database import Database
from jobs.store import JobStore, NewArtifact
from queue_config import Doorbell
from scripts.chaos import report
from scripts.chaos.audit import RULES, audit
from scripts.chaos.evidence import Evidence, in_database, in_store, over_rest
from scripts.chaos.faults import ROUND, Faults, Hit, Log
from scripts.chaos.orders import EVENTS, Order
from scripts.chaos.receiver import Heard
from storage.memory import MemoryStorage

URL = "https://hooks.example.org/hook"


@dataclass
class Small:
    """Four jobs that ended as they should: made, made at the second attempt, canceled, poisoned."""

    database: Database
    store: JobStore
    storage: MemoryStorage
    clients: dict[str, httpx.Client]
    orders: list[Order]
    hits: list[Hit]

    def evidence(self) -> Evidence:
        found = Evidence(self.orders, hits=self.hits)
        over_rest(found, self.clients)
        in_database(found, self.database)
        in_store(found, self.storage)
        found.heard = {
            Heard(job_id, event.version, f"job.{_event(event.state)}", "ada")
            for job_id, events in found.events.items()
            for event in events
        }
        return found

    def execute(self, statement: str, **values: object) -> None:
        self.database.write(lambda connection: connection.execute(text(statement), values))

    def broken(self) -> set[str]:
        """The rules that find something."""
        return {violation.rule for violation in audit(self.evidence())}


def _event(state: str) -> str:
    return "started" if state == "running" else state


def _order(number: int) -> Order:
    return Order(number, "ada", 0, 0.0, "normal", False, True, None, None)


def _send(client: httpx.Client, order: Order) -> None:
    headers = {"Idempotency-Key": order.idempotency_key}
    answer = client.post("/v1/jobs", json=order.body(URL), headers=headers)
    assert answer.status_code == 202, answer.text
    order.job_id = answer.json()["id"]


def _claim(store: JobStore, worker_id: str = "wrk_1") -> Any:
    (row,) = store.claim(worker_id, "cpu", engines=["echo"], lease_seconds=60)
    return row


def _make(small: Small, order: Order, row: Any) -> None:
    content = f"{order.text}\n".encode()
    key = f"jobs/{row.id}/{row.attempt}/out/echo.txt"
    small.storage.put(key, io.BytesIO(content))
    digest = hashlib.sha256(content).hexdigest()
    made = NewArtifact("echo.txt", key, "text/plain", len(content), digest)
    small.store.succeed(row.id, row.attempt, [made])


@pytest.fixture
def small(database, monkeypatch) -> Small:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("ATELIER_WEBHOOKS_ALLOW_PRIVATE", "yes")
    store, storage = JobStore(database), MemoryStorage()
    app: Flask = create_app(store, storage, Doorbell(), Settings.model_validate({"rate_per_minute": 0}))
    key, _ = AccountStore(database).create_key("ada")
    client = httpx.Client(
        transport=httpx.WSGITransport(app=app),
        base_url="http://api",
        headers={"Authorization": f"Bearer {key}"},
    )
    house = Small(database, store, storage, {"ada": client}, [_order(n) for n in range(1, 5)], [])
    first, second, third, fourth = house.orders

    _send(client, first)
    _make(house, first, _claim(store))

    _send(client, second)
    lost = _claim(store, "wrk_dead")
    store.expire_leases(worker_id="wrk_dead")
    house.hits.append(Hit("worker killed", lost.id, lost.attempt, time.time()))
    _make(house, second, _claim(store))

    _send(client, third)
    third.canceled_as = client.post(f"/v1/jobs/{third.job_id}/cancel").json()["state"]
    third.canceled_at = time.time()

    _send(client, fourth)
    for worker_id in ("wrk_a", "wrk_b"):
        died = _claim(store, worker_id)
        store.expire_leases(worker_id=worker_id)
        house.hits.append(Hit("worker killed", died.id, died.attempt, time.time()))
    return house


def test_a_sound_house_passes(small):
    evidence = small.evidence()

    assert audit(evidence) == []
    outcomes = Counter(row.error_code or row.state for row in evidence.jobs.values())
    assert outcomes == {"succeeded": 2, "canceled": 1, "poison_job": 1}


#: What is done to the database -> the rule that must notice. `:first` and so on are the jobs' ids.
DOCTORED = {
    "a second final event": (
        "INSERT INTO job_events (job_id, version, state, attempt, at)"
        " SELECT job_id, version + 1, 'failed', attempt, at FROM job_events"
        " WHERE job_id = :first AND state = 'succeeded'",
        "each_job_ended_once",
    ),
    "a final event that is not there": (
        "DELETE FROM job_events WHERE job_id = :first AND state = 'succeeded'",
        "each_job_ended_once",
    ),
    "a job that still runs": (
        "UPDATE jobs SET state = 'running', finished_at = NULL WHERE id = :first",
        "each_job_ended_once",
    ),
    "a change after the end": (
        "UPDATE jobs SET version = version + 1 WHERE id = :third",
        "each_job_ended_once",
    ),
    "an attempt number handed out twice": (
        "UPDATE job_events SET attempt = 1 WHERE job_id = :second AND attempt = 2",
        "no_attempt_wrote_into_another",
    ),
    "a result of a lost attempt": (
        "UPDATE jobs SET attempt = 3 WHERE id = :second",
        "no_attempt_wrote_into_another",
    ),
    "a claim of a job that had ended": (
        "INSERT INTO job_events (job_id, version, state, attempt, at)"
        " SELECT id, 90, 'running', attempt + 1, finished_at FROM jobs WHERE id = :third",
        "no_attempt_wrote_into_another",
    ),
    "two results": (
        "INSERT INTO artifacts (id, owner_id, job_id, name, key, media_type, size, sha256, meta, created_at)"
        " SELECT 'art_2', owner_id, job_id, name, key, media_type, size, sha256, meta, created_at"
        " FROM artifacts WHERE job_id = :first",
        "what_succeeded_has_one_whole_result",
    ),
    "no result": ("DELETE FROM artifacts WHERE job_id = :first", "what_succeeded_has_one_whole_result"),
    "a wrong SHA-256": (
        "UPDATE artifacts SET sha256 = 'ffff' WHERE job_id = :first",
        "what_succeeded_has_one_whole_result",
    ),
    "a failure with a code of its own": (
        "UPDATE jobs SET error_code = 'engine_crashed' WHERE id = :fourth",
        "every_failure_is_explained",
    ),
    "a job that vanished": ("DELETE FROM jobs WHERE id = :first", "what_was_accepted_is_there_once"),
    "a job that nobody was promised": (
        "UPDATE jobs SET id = 'job_00000000000000000000000000000000' WHERE id = :third",
        "what_was_accepted_is_there_once",
    ),
    "a canceled job that succeeded all the same": (
        "UPDATE jobs SET state = 'succeeded' WHERE id = :third",
        "what_was_canceled_stopped",
    ),
    "a clean-up that was forgotten": ("DELETE FROM cleanups", "rows_and_objects_agree"),
}


@pytest.mark.parametrize("name", DOCTORED)
def test_a_doctored_database_is_caught(small, name):
    statement, rule = DOCTORED[name]
    if name == "a clean-up that was forgotten":
        small.storage.put(f"jobs/{small.orders[1].job_id}/1/out/echo.txt", io.BytesIO(b"of the lost attempt"))
        assert small.broken() == set(), "as long as somebody is going to delete it"
    if name == "a job that nobody was promised":  # its events keep its old name
        small.execute("DELETE FROM job_events WHERE job_id = :third", third=small.orders[2].job_id)
    names = dict(zip(("first", "second", "third", "fourth"), small.orders, strict=True))
    used = {key: order.job_id for key, order in names.items() if f":{key}" in statement}

    small.execute(statement, **used)

    assert rule in small.broken()


LINK = (
    "INSERT INTO job_parts (job_id, name, part_id, stage, number, share, digest)"
    " VALUES (:job, 'a', :part, 'a', 0, 0.5, 'd')"
)


def test_a_job_that_waits_for_parts_which_have_ended_is_caught(small):
    first, _, third, _ = (order.job_id for order in small.orders)
    small.execute(LINK, job=third, part=first)
    assert small.broken() == set()
    small.execute("UPDATE jobs SET hold = 'parts' WHERE id = :id", id=third)
    assert small.broken() == {"no_job_waits_for_parts_that_have_ended"}


def test_a_part_that_outlives_its_job_is_caught(small):
    first, second, *_ = (order.job_id for order in small.orders)
    small.execute(LINK, job=second, part=first)
    small.execute("UPDATE jobs SET part_of = :job WHERE id = :part", job=second, part=first)
    assert "no_part_outlives_its_job" not in small.broken()
    small.execute("UPDATE jobs SET finished_at = NULL WHERE id = :part", part=first)
    assert "no_part_outlives_its_job" in small.broken()


def test_a_lost_a_changed_and_a_stray_object_are_caught(small):
    (key,) = [info.key for info in small.storage.list(f"jobs/{small.orders[0].job_id}")]
    small.storage.put(key, io.BytesIO(b"order 1 of eve\n"))
    assert small.broken() == {"what_succeeded_has_one_whole_result"}, "as many bytes, but others"
    small.storage.delete(key)
    assert {"rows_and_objects_agree", "what_succeeded_has_one_whole_result"} <= small.broken()

    small.storage.put("jobs/job_nobodys/1/out/echo.txt", io.BytesIO(b"x"))
    assert any("job_nobodys" in v.job_id for v in audit(small.evidence()))


def test_a_wrong_answer_and_one_that_never_came_are_caught(small):
    small.orders[0].wrong.append("POST /v1/jobs was answered 500")
    small.orders.append(_order(5))

    found = [v for v in audit(small.evidence()) if v.rule == "every_request_was_answered_rightly"]

    assert [violation.job_id for violation in found] == [small.orders[0].job_id, "order-5"]


def test_an_attempt_that_began_after_the_cancel_was_answered_is_caught(small):
    second = small.orders[1]
    second.canceled_as, second.canceled_at = "running", time.time() - 3600

    assert small.broken() == {"what_was_canceled_stopped"}


def test_a_failure_that_the_faults_do_not_explain_is_caught(small):
    small.hits[:] = small.hits[:-1]

    assert small.broken() == {"every_failure_is_explained"}


def test_a_webhook_that_never_came_and_one_that_was_forged_are_caught(small):
    evidence = small.evidence()
    assert all(
        set(EVENTS) >= {_event(event.state)} for events in evidence.events.values() for event in events
    )
    evidence.heard = {one for one in evidence.heard if one.type != "job.canceled"}
    (lost,) = audit(evidence)
    assert (lost.rule, lost.job_id) == ("every_webhook_arrived", small.orders[2].job_id)

    evidence = small.evidence()
    evidence.forged = ["msg_1"]
    assert {violation.rule for violation in audit(evidence)} == {"every_webhook_arrived"}


def test_the_owners_own_address_has_to_hear_of_every_end(small):
    evidence = small.evidence()
    evidence.followed = ["ada"]
    assert len(audit(evidence)) == 4

    evidence.heard |= {replace(one, path="ada/all") for one in evidence.heard}
    assert audit(evidence) == []


def test_a_doctored_house_breaks_every_rule_in_some_test():
    others = {"every_request_was_answered_rightly", "every_webhook_arrived"}
    others |= {"no_job_waits_for_parts_that_have_ended", "no_part_outlives_its_job"}
    assert {rule.__name__ for rule in RULES} == {rule for _, rule in DOCTORED.values()} | others


def test_the_figures_of_a_run(small):
    evidence = small.evidence()
    claims = {hit.job_id: seconds for hit, seconds in report.recoveries(evidence, small.hits)}
    assert set(claims) == {small.orders[1].job_id, small.orders[3].job_id}
    assert all(abs(seconds) < 5 for seconds in claims.values())

    log = Log(Counter({"worker killed": 3}), small.hits)
    lines = report.table(evidence, log, [], 1.0)

    assert "| fault: worker killed | 3 |" in lines
    assert "| jobs failed: poison_job | 1 |" in lines
    assert report.spread([1.0, 2.0, 3.0]) == "3: p50 2.0, p95 3.0, p99 3.0, max 3.0 s"


def test_every_fault_that_is_drawn_can_be_done():
    class NoHouse:
        dispatcher, sweepers, objects = None, (), None

    made = Faults(NoHouse(), None, seed=1, every=1.0)
    made.close()
    assert made._kinds.keys() == ROUND.keys()
