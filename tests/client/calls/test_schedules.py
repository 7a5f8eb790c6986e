"""Requests about schedules: what may be sent twice, and what is an answer."""

from __future__ import annotations

import pytest

from client.calls import schedules

TWICE = {
    "dry_run": schedules.dry_run({}),
    "change": schedules.change("s", {"name": "n"}),
    "pause": schedules.pause("s"),
    "resume": schedules.resume("s"),
    "run": schedules.run("s", None),
    "delete": schedules.delete("s"),
    "schedules": schedules.schedules({}),
}


@pytest.mark.parametrize("name", TWICE)
def test_what_twice_is_done_once_may_be_sent_twice(name):
    assert TWICE[name].repeatable


def test_a_new_one_is_sent_once():
    assert not schedules.add({}).repeatable


def test_a_run_has_a_key_of_its_own_or_its_caller_s():
    assert schedules.run("s", "k").headers == {"Idempotency-Key": "k"}
    assert schedules.run("s", None).headers != schedules.run("s", None).headers


def test_an_id_is_one_part_of_the_path():
    assert schedules.pause({"id": "a/b"}).path == "/v1/schedules/a%2Fb/pause"


@pytest.mark.parametrize(
    ("call", "odd"),
    [(schedules.schedules({}), {"schedules": {}}), (schedules.dry_run({}), {"upcoming": None})],
    ids=["page", "upcoming"],
)
def test_what_is_no_answer_is_refused(call, odd):
    with pytest.raises(TypeError):
        call.read(odd)
