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


def queued(position):
    return {"state": "queued", "queue_position": position, "forecast": {"servable": True, "starts_in": 40.0}}


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
