"""While a job waits, the command tells where it stands."""

from __future__ import annotations

import threading

import pytest

from cli import waiting
from cli.waiting import Waiting
from client import NoServer
from tests.cli.conftest import wait_until


def event(state, message=""):
    return {"version": 1, "state": state, "progress": 0.0, "message": message}


class Server:
    """Answers with these jobs, then with the last one again and again."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0
        self.release = threading.Event()
        self.release.set()

    def job(self, _job_id):
        self.asked += 1
        self.release.wait(5)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(waiting, "FIRST_SECONDS", 0.001)
    monkeypatch.setattr(waiting, "MOST_SECONDS", 0.01)
    monkeypatch.setattr(waiting, "PARTS_SECONDS", 0.002)


def queued(position):
    forecast = {"servable": True, "starts_in": 40.0}
    return {"version": 9, "state": "queued", "queue_position": position, "forecast": forecast}


def messages(seen):
    return list(dict.fromkeys(one["message"] for one in seen))


def test_its_place_is_told_until_it_runs():
    seen = []
    server = Server(queued(3), NoServer("away"), queued(2))

    with Waiting(server, "job_1", seen.append) as follower:
        follower.see(event("queued"))
        wait_until(lambda: server.asked >= 4)
        follower.see(event("running", "painting"))
        asked = server.asked
    told = messages(seen)

    assert told[0] == ""
    assert told[1:] == [
        "position 3, starts in about 40 s",
        "position 2, starts in about 40 s",
        "painting",
    ]
    assert server.asked <= asked + 1


def test_an_answer_that_comes_too_late_is_not_shown():
    seen = []
    server = Server(queued(3))
    server.release.clear()

    with Waiting(server, "job_1", seen.append) as follower:
        follower.see(event("queued"))
        wait_until(lambda: server.asked == 1)
        follower.see(event("running", "painting"))
        server.release.set()

    assert messages(seen) == ["", "painting"]


def test_nobody_is_asked_about_a_job_that_runs():
    server = Server(queued(3))

    with Waiting(server, "job_1", lambda _event: None) as follower:
        follower.see(event("running"))
        threading.Event().wait(0.05)

    assert server.asked == 0


def in_parts(*stages):
    held = {"reason": "parts", "detail": ""}
    its = [{"name": n, "state": "running", "jobs": 8, "succeeded": k, "progress": 0.0} for n, k in stages]
    return {"version": 9, "state": "queued", "held": held, "stages": its}


def test_which_stage_it_is_in_is_told_while_it_waits_for_its_parts():
    seen = []
    server = Server(in_parts(("kinds", 3)))

    with Waiting(server, "job_1", seen.append) as follower:
        follower.see(event("running"))
        follower.see({**event("queued"), "reason": "waits_for_parts"})
        assert seen[-1]["state"] == "in parts"  # known before anybody asks
        wait_until(lambda: seen[-1]["message"] == "kinds 3/8")
        # a part has ended: the stage stays on the line, with the job's new progress
        follower.see({**event("queued", "kinds-004 is made"), "progress": 0.5})
        ended = seen[-1]
        # and when all have, the job stands in line as any other
        server.answers = [queued(1) | {"version": 10}]
        follower.see({**event("queued"), "reason": "parts_ended", "version": 10})
        wait_until(lambda: seen[-1]["message"].startswith("position 1"))

    assert (ended["state"], ended["message"], ended["stage"]) == ("in parts", "kinds 3/8", "kinds")
    assert ended["progress"] == 0.5
    assert seen[-1]["state"] == "queued"


def test_a_job_that_is_made_of_jobs_is_asked_for_once_a_second(monkeypatch):
    monkeypatch.setattr(waiting, "PARTS_SECONDS", 60.0)
    server = Server(in_parts(("kinds", 3)))

    with Waiting(server, "job_1", lambda _event: None) as follower:
        follower.see({**event("queued"), "reason": "waits_for_parts"})
        wait_until(lambda: server.asked == 1)
        follower.see(event("running"))
        follower.see({**event("queued"), "reason": "waits_for_parts"})
        threading.Event().wait(0.05)

    assert server.asked == 1
