"""Requests about jobs: all of them may be sent twice, and what makes a job has a key that makes it one."""

from __future__ import annotations

import pytest

from client.calls import jobs

ALL = {
    "submit": jobs.submit("e", {}, (), {}, None),
    "dry_run": jobs.dry_run("e", {}, (), {}),
    "job": jobs.job("j", 1.5),
    "parts": jobs.parts("j", {"cursor": "7"}),
    "cancel": jobs.cancel("j"),
    "hold": jobs.hold("j"),
    "release": jobs.release("j"),
    "move": jobs.move("j", {"to": "end"}),
    "label": jobs.label("j", {"tags": []}),
    "retry": jobs.retry("j", None),
    "again": jobs.again("j", {}, None),
    "delete": jobs.delete("j"),
}


@pytest.mark.parametrize("name", ALL)
def test_what_twice_is_done_once_may_be_sent_twice(name):
    assert ALL[name].repeatable


@pytest.mark.parametrize("name", ["submit", "retry", "again"])
def test_what_makes_a_job_has_a_key_that_makes_it_one(name):
    assert len(ALL[name].headers["Idempotency-Key"]) == 32


def test_many_ids_are_several_questions():
    calls = list(jobs.jobs_by_id([str(n) for n in range(250)], True))
    assert [len(call.query["id"]) for call in calls] == [100, 100, 50]
    assert calls[0].query["all"] == "true"
    assert list(jobs.jobs_by_id([], True)) == []


def test_waiting_is_in_milliseconds():
    assert ALL["job"].query == {"wait": "1.500"}
    assert jobs.job("j").query == {"wait": None}
