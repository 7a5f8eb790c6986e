"""`python -m workers`: which queues, which pool, and what Celery is told."""

from __future__ import annotations

import os

import pytest

from workers import __main__ as command
from workers import settings


@pytest.fixture
def run(monkeypatch):
    """Runs the command with these arguments; what Celery would have been started with."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    started = []
    monkeypatch.setattr(command.app, "worker_main", started.append)

    def main(*arguments):
        monkeypatch.setattr("sys.argv", ["workers", *arguments])
        command.main()
        return started[-1]

    return main


def test_a_worker_serves_the_queues_it_is_told_with_one_child(run):
    arguments = run("--queues", " cpu ,gpu")
    assert arguments[0] == "worker"
    assert {"--queues=cpu,gpu", "--pool=prefork", "--concurrency=1"} <= set(arguments)
    assert settings.queues() == ("cpu", "gpu")
    assert f"--hostname={settings.worker_id()}@%h" in arguments
    assert "--include" not in arguments, "its child knows what it runs"


def test_one_that_runs_jobs_itself_imports_what_runs_them(run):
    arguments = run("--pool", "solo")
    assert arguments[arguments.index("--include") + 1] == "workers.tasks"


@pytest.mark.parametrize("queues", ["", "cpu,attic", ","], ids=["none", "unknown", "comma"])
def test_an_unknown_queue_is_refused(run, queues, capsys):
    with pytest.raises(SystemExit):
        run("--queues", queues)
    assert "unknown queue" in capsys.readouterr().err
