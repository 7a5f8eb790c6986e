"""`atelier jobs` and `cancel`: what reaches the server, and what is shown."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner

from cli.main import main
from client import Client, Refused

JOB = {
    "id": "job_01a1fcbf5f2c77fab5e3d7a72c51e6aa",
    "engine": "echo",
    "state": "succeeded",
    "progress": 1.0,
    "message": "",
    "priority": "normal",
    "timings": {"queued": 0.1, "run": 3.0},
    "usage": {"run_seconds": 0.0},
    "attempt": 1,
    "seed": 7,
    "artifacts": [],
    "created_at": "2020-11-20T12:00:00Z",
    "tags": ["spring", "mars"],
    "metadata": {"order": 4711},
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("ATELIER_URL", "http://127.0.0.1:9")

    def run(*arguments: str):
        return CliRunner().invoke(main, ["--data-dir", str(tmp_path / "data"), *arguments])

    return run


def said(call):
    """The query of a call."""
    return {name: value for name, value in call.query.items() if value is not None}


def test_filters_reach_the_server(run, monkeypatch):
    asked = {}

    def send(_client, call):
        asked.update(said(call), at=(call.method, call.path))
        return {"jobs": []}

    monkeypatch.setattr(Client, "send", send)
    result = run(
        *("jobs", "--tag", "a", "--tag", "b", "--engine", "echo", "--state", "queued", "--state", "running"),
        *("--since", "2h", "--until", "2999-01-01", "--text", "two words"),
    )
    assert result.exit_code == 0, result.output
    assert asked["at"] == ("GET", "/v1/jobs")
    assert (asked["tag"], asked["engine"], asked["state"]) == (["a", "b"], "echo", ["queued", "running"])
    assert asked["q"] == "two words"
    ago = datetime.now().astimezone() - datetime.fromisoformat(asked["created_after"])
    assert timedelta(hours=2) <= ago < timedelta(hours=2, minutes=1)
    assert asked["created_before"].startswith("2999-01-01")


def test_without_any_nothing_is_narrowed(run, monkeypatch):
    asked = []
    monkeypatch.setattr(Client, "send", lambda _, call: asked.append(said(call)) or {"jobs": []})
    assert run("jobs").exit_code == 0
    assert asked == [{"limit": 20}]


def test_labels_are_shown_where_there_are_any(run, monkeypatch):
    monkeypatch.setattr(Client, "jobs_page", lambda *_, **__: {"jobs": [JOB, {**JOB, "tags": []}]})
    monkeypatch.setattr(Client, "job", lambda *_: JOB)
    assert "spring, mars" in run("jobs").output
    assert "tags spring, mars; order=4711" in run("jobs", JOB["id"]).output
    monkeypatch.setattr(Client, "jobs_page", lambda *_, **__: {"jobs": [{**JOB, "tags": []}]})
    assert "TAGS" not in run("jobs").output


def test_several_are_canceled_at_once(run, monkeypatch):
    states = {"job_1": "running", "job_2": "canceled"}
    monkeypatch.setattr(Client, "cancel", lambda _, job_id: {"state": states[job_id]})
    assert run("cancel", *states).output.splitlines() == ["job job_1: being canceled", "job job_2: canceled"]
    assert run("cancel").exit_code == 2


@pytest.mark.parametrize("command", ["cancel", "hold", "release", "delete"])
def test_one_that_is_refused_is_named_and_stops_none_of_the_others(run, monkeypatch, command):
    done = []

    def act(_client, job_id):
        if job_id == "job_gone":
            raise Refused(404, {"detail": "There is no such job."})
        done.append(job_id)
        return {**JOB, "id": job_id, "state": "canceled"}

    monkeypatch.setattr(Client, command, act)
    result = run(command, "job_1", "job_gone", "job_2")
    assert done == ["job_1", "job_2"]
    assert "job_gone: There is no such job." in result.output
    assert result.output.endswith("Error: 1 of 3 refused\n")
    assert result.exit_code == 1


def test_what_is_wrong_with_all_of_them_is_said_once(run, monkeypatch):
    asked = []

    def act(_client, job_id):
        asked.append(job_id)
        raise Refused(401, {"detail": "A valid API key is needed."})

    monkeypatch.setattr(Client, "cancel", act)
    result = run("cancel", "job_1", "job_2")
    assert asked == ["job_1"]
    assert result.output.count("A valid API key is needed.") == result.exit_code == 1


@pytest.mark.parametrize("option", ["--archive", "-o"])
def test_a_zip_takes_all_results(run, monkeypatch, tmp_path, option):
    fetched = []
    monkeypatch.setattr(Client, "job", lambda *_: JOB)
    monkeypatch.setattr(Client, "archive", lambda _, *asked: fetched.append(asked) or asked[1])
    result = run("jobs", JOB["id"], option, str(tmp_path / "all.zip"))
    assert result.exit_code == 0, result.output
    assert fetched == [(JOB["id"], tmp_path / "all.zip")]
    assert str(tmp_path / "all.zip") in result.output
    assert run("jobs", option, "x.zip").exit_code == 2
