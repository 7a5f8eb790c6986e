"""A job that asks a service elsewhere, from its submission to its end; and a key that nobody ever sees."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engines import providers
from engines.circuit import FAILURES
from jobs.logs import configure_logging
from tests.api.helpers import Api
from tests.chat import (
    KEY,
    MODEL,
    ChatServer,
    Way,
    breaks_off,
    chat_server,
    drips,
    fails,
    refuses,
    says,
    sends,
)
from workers.has import has
from workers.house import House
from workers.runner import Runner

pytestmark = pytest.mark.filterwarnings("error")

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.fixture(autouse=True)
def _nothing_set_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("ATELIER_CHAT_URL", "ATELIER_CHAT_MODEL", "ATELIER_SECRET_CHAT", "ATELIER_SECRET_CHAT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("api.forecasting.forecast.FRESH", 0.0)
    providers.circuit.cache_clear()
    yield
    providers.circuit.cache_clear()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with chat_server() as running:
        monkeypatch.setenv("ATELIER_CHAT_URL", running.url)
        monkeypatch.setenv("ATELIER_CHAT_MODEL", MODEL)
        yield running


@pytest.fixture
def runner(store, storage) -> Runner:
    return Runner(House.of(store.database, storage), worker_id="wrk_1", queues=["net"])


@pytest.fixture
def report(runner: Runner) -> Callable[[], None]:
    """The worker says what it has, as it does every few seconds."""
    return lambda: (
        runner.health.report(
            hostname="h", pid=1, queues=["net"], engines=["prompts"], weights=has(), device=None
        )
        and None
    )


def ask(api: Api, **params: Any) -> dict[str, Any]:
    answer = api.post(
        "/v1/jobs", json={"engine": "prompts", "params": {"instruction": "Say hello."} | params}
    )
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json
    return found


def forecast(api: Api, job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/v1/jobs/{job['id']}").json["forecast"]
    return found


def test_an_answer_is_a_result_like_any_other(api, server, runner, report, monkeypatch):
    monkeypatch.setenv("ATELIER_SECRET_CHAT", KEY)
    report()
    job = ask(api, answer_schema=SCHEMA)
    assert job["queue"] == "net"
    server.will(says('{"a": 1}'))
    assert runner.work() == 1
    view = api.get(f"/v1/jobs/{job['id']}").json
    (artifact,) = view["artifacts"]
    assert (view["state"], artifact["name"], json.loads(artifact["text"])) == (
        "succeeded",
        "answer.json",
        {"a": 1},
    )
    assert artifact["meta"]["calls"] == 1
    assert api.get("/v1/engines/prompts").json["deterministic"] is False
    assert api.get("/v1/engines/prompts").json["needs_weights"] == {}


@pytest.mark.usefixtures("server")
def test_a_job_waits_for_a_worker_with_the_key_and_is_told_so(api, runner, report, monkeypatch):
    job = ask(api)
    assert forecast(api, job)["reason"] == "No worker serves the queue net at the moment."
    report()
    told = forecast(api, job)
    assert not told["servable"]
    assert "secret chat" in told["reason"]
    assert runner.work() == 0
    monkeypatch.setenv("ATELIER_SECRET_CHAT", KEY)
    assert runner.work() == 1
    assert api.get(f"/v1/jobs/{job['id']}").json["state"] == "succeeded"


def test_a_service_that_is_down_is_left_alone_and_the_line_waits(
    api, server, runner, report, monkeypatch, clock_of_the_circuit
):
    monkeypatch.setenv("ATELIER_SECRET_CHAT", KEY)
    report()
    jobs = [ask(api, cache=False) for _ in range(FAILURES + 3)]
    server.will(*[fails(503)] * len(jobs))
    # when: they ask, all at once
    runner.work()
    report()
    # then: nobody asks any more, nobody is charged, and who wants to know is told why
    asked = len(server.requests)
    assert asked >= FAILURES
    told = [api.get(f"/v1/jobs/{job['id']}").json for job in jobs]
    assert {one["state"] for one in told} == {"queued"}
    late = ask(api)
    assert "service chat" in forecast(api, late)["reason"]
    assert runner.work() == 0
    assert len(server.requests) == asked
    # and when its pause is over, one job tries
    clock_of_the_circuit.now += 3600
    report()
    assert forecast(api, late)["servable"]
    assert runner.work() == 1
    assert api.get(f"/v1/jobs/{late['id']}").json["state"] == "succeeded"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock_of_the_circuit(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(providers.circuit("chat"), "_clock", clock)
    return clock


@pytest.mark.usefixtures("server")
def test_over_the_day_s_budget_a_job_fails_and_says_when_there_is_more(api, runner, monkeypatch):
    monkeypatch.setenv("ATELIER_SECRET_CHAT", KEY)
    monkeypatch.setenv("ATELIER_CHAT_CALLS_PER_DAY", "1")
    first, second = ask(api), ask(api)
    runner.work()
    views = [api.get(f"/v1/jobs/{job['id']}").json for job in (first, second)]
    assert sorted(view["state"] for view in views) == ["failed", "succeeded"]
    (error,) = [view["error"] for view in views if view["state"] == "failed"]
    assert error["code"] == "budget_used_up"
    assert "anew at" in error["detail"]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """All that a process would log that was told to log everything."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setenv("ATELIER_LOG_LEVEL", "debug")
    configure_logging("worker")
    yield lambda: "".join(capfd.readouterr())
    root.handlers[:] = handlers
    root.setLevel(level)


WAYS = [
    pytest.param(fails(400, f"Your key {KEY} is fine, your request not"), id="400"),
    pytest.param(fails(401, f"Incorrect key {KEY}"), id="401"),
    pytest.param(fails(404, f"{KEY} has no such model"), id="404"),
    pytest.param(fails(429, f"{KEY} is too fast", retry_after="1"), id="429"),
    pytest.param(fails(500, f"{KEY} broke us"), id="500"),
    pytest.param(fails(307, KEY, location=f"http://127.0.0.1:1/{KEY}"), id="redirect"),
    pytest.param(refuses(f"I will not answer {KEY}"), id="refusal"),
    pytest.param(says(f"Your key is {KEY}"), id="answer"),
    pytest.param(sends(f"<html>{KEY}</html>".encode(), "text/html"), id="html"),
    pytest.param(breaks_off(KEY.encode()), id="breaks-off"),
    pytest.param(drips(), id="drips"),
]


@pytest.mark.parametrize("way", WAYS)
def test_the_key_is_nowhere_but_in_the_request(
    way: Way, api, store, storage, server, runner, report, monkeypatch, logged
):
    monkeypatch.setenv("ATELIER_SECRET_CHAT", KEY)
    monkeypatch.setenv("ATELIER_CHAT_SECONDS", "0.5")
    report()
    # when
    server.will(way)
    job = ask(api, answer_schema=SCHEMA)
    runner.work()
    report()
    # then: it was sent, and is in no log, no row, no object and no answer
    assert server.heads[0]["authorization"] == f"Bearer {KEY}"
    paths = (f"/v1/jobs/{job['id']}", "/v1/jobs", "/v1/engines/prompts", "/v1/usage")
    told = [api.get(path).get_data(as_text=True) for path in paths]
    kept = [storage.open(info.key).read() for info in storage.list("")]
    rows = [file.read_bytes() for file in Path(store.database.url.database).parent.glob("*.db*")]
    assert rows
    assert job["id"] in told[0]
    lines = logged()
    assert "receive_response_headers" not in lines  # what is said back is in the headers, too
    assert "job_started" in lines
    assert KEY not in lines + "".join(told)
    assert not any(KEY.encode() in content for content in (*kept, *rows))


@pytest.mark.usefixtures("server")
def test_a_broken_engine_shows_it_neither(api, runner, monkeypatch, logged):
    monkeypatch.setenv("ATELIER_SECRET_CHAT", KEY)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("engines.prompts.chat.answer", broken)
    job = ask(api)
    runner.work()
    view = api.get(f"/v1/jobs/{job['id']}")
    assert view.json["error"]["code"] == "engine_crashed"
    lines = logged()
    assert "ZeroDivisionError" in lines
    assert KEY not in lines + view.text
