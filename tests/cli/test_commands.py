"""All commands alike: their help, their tables, and what they say of an ordinary mistake."""

from __future__ import annotations

import io
import json
import signal

import pytest
from rich.console import Console

from cli import show
from cli.main import main
from client import Client

ECHO = {
    "name": "echo",
    "title": "Echo",
    "description": "",
    "files": {},
    "params_schema": {"properties": {"text": {"type": "string"}}},
}
JOB = {
    "id": "job_01a1fcbf5f2c77fab5e3d7a72c51e6aa",
    "engine": "neural_style",
    "state": "running",
    "progress": 1.0,
    "timings": {"run": 3599.0},
    "created_at": "2020-11-20T12:00:00Z",
}


def test_without_a_server_it_says_how_to_start_one(run, monkeypatch):
    monkeypatch.setenv("ATELIER_URL", "http://127.0.0.1:9")

    for command in (("jobs",), ("engines",), ("run", "echo")):
        result = run(*command)
        assert result.exit_code == 1
        assert "atelier up" in result.output
    assert run("run", "--help").exit_code == 0


def test_every_command_explains_itself(run):
    for name in main.commands:
        if name != "run":
            result = run(name, "--help")
            assert result.exit_code == 0, result.output
            assert "Usage:" in result.output


@pytest.mark.parametrize(
    ("arguments", "environment", "word"),
    [
        (("run", "echo", "-o", "{tmp}/file"), {}, "--output"),
        (("run", "echo", "-o", "{tmp}/file/a.txt"), {}, "--output"),
        (("jobs", "job_1", "-o", "{tmp}/file/a.txt"), {}, "--output"),
        (("retry", "job_1", "-o", "{tmp}/file/a.txt"), {}, "--output"),
        (("up",), {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}, "127.0.0.1:9"),
        (("up",), {"DATABASE_URL": "foo"}, "DATABASE_URL"),
        (("up",), {"DATABASE_URL": "nosuch://a/b"}, "DATABASE_URL"),
        (("up", "--data-dir", "{tmp}/file/x"), {}, "data folder"),
        (("up", "--data-dir", "{tmp}/file"), {}, "--data-dir"),
        (("up", "--port", "0", "--host", "203.0.113.1"), {}, "203.0.113.1"),
        (("keys", "list"), {"DATABASE_URL": "foo"}, "DATABASE_URL"),
        (("keys", "list"), {"DATABASE_URL": "sqlite:////proc/none/a.db"}, "folder"),
        (("migrate", "--revision", "nope"), {}, "nope"),
        (("jobs",), {"ATELIER_URL": "http://[::1"}, "ATELIER_URL"),
        (("jobs",), {"ATELIER_URL": "localhost:8080"}, "ATELIER_URL"),
        (("jobs",), {"ATELIER_URL": "http://localhost:port"}, "ATELIER_URL"),
        (("jobs",), {"ATELIER_KEY": "schlüssel"}, "ATELIER_KEY"),
        (("jobs",), {"ATELIER_KEY": "atl_a\nb"}, "ATELIER_KEY"),
    ],
)
def test_an_ordinary_mistake_is_a_sentence(run, monkeypatch, tmp_path, arguments, environment, word):
    (tmp_path / "file").write_text("in the way")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Client, "engine", lambda *_: ECHO)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    result = run(*(argument.format(tmp=tmp_path) for argument in arguments))

    for number, handler in handlers.items():  # `up` takes them
        signal.signal(number, handler)
    assert result.exit_code in (1, 2), result.output
    assert isinstance(result.exception, SystemExit)
    assert "Error: " in result.output
    assert word in result.output
    assert "Traceback" not in result.output


def test_tables_fit_eighty_columns(monkeypatch, run):
    made = io.StringIO()
    monkeypatch.setattr(show, "results", lambda: Console(file=made, width=80))
    monkeypatch.setattr(Client, "jobs_page", lambda *_, **__: {"jobs": [JOB, {**JOB, "state": "succeeded"}]})
    key = json.loads(run("keys", "create", "local", "--name", "atelier up", "--admin", "--json").output)

    assert run("jobs").exit_code == 0
    assert run("keys", "list").exit_code == 0

    lines = [line.split() for line in made.getvalue().splitlines()]
    assert lines[1][:4] == [JOB["id"], "neural_style", "running", "100%"]
    assert lines[2][-2:] == ["59m59s", "2020"]
    assert lines[4] == [key["id"], "local", "atelier", "up", key["key"][:12], "admin"]
    assert len(lines) == 5
