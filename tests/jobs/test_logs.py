"""Logs are one JSON object a line, whoever wrote it."""

from __future__ import annotations

import json
import logging

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from jobs.logs import configure_logging

_NOISY = "celery.app.trace"


@pytest.fixture(autouse=True)
def _as_before():
    """What is configured here is for these tests only."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    yield
    configure_logging("tests")
    root.handlers[:] = handlers


def lines(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_our_lines_and_those_of_libraries_have_the_same_fields(capsys):
    configure_logging("worker")
    with bound_contextvars(job_id="job_1"):
        structlog.get_logger("ours").warning("lease_lost", attempt=2)
        logging.getLogger("theirs").warning("%s are gone", "they")
    ours, theirs = lines(capsys)
    assert ours | {"event": "lease_lost", "attempt": 2, "logger": "ours"} == ours
    assert theirs | {"event": "they are gone", "logger": "theirs"} == theirs
    for line in (ours, theirs):
        assert line | {"process": "worker", "job_id": "job_1", "level": "warning"} == line
        assert line["timestamp"].endswith("Z")


def test_an_exception_stays_on_its_line(capsys):
    configure_logging("api")
    try:
        raise ZeroDivisionError("by\nnothing")
    except ZeroDivisionError:
        structlog.get_logger("ours").exception("broken")
    (line,) = lines(capsys)
    assert "Traceback" in line["exception"]
    assert "by\nnothing" in line["exception"]


@pytest.mark.parametrize(("level", "heard"), [("", ["b"]), ("warning", []), ("DEBUG", ["a", "b"])])
def test_the_level_is_the_operator_s(monkeypatch, capsys, level, heard):
    if level:
        monkeypatch.setenv("ATELIER_LOG_LEVEL", level)
    else:
        monkeypatch.delenv("ATELIER_LOG_LEVEL", raising=False)
    configure_logging("api")
    logging.getLogger("theirs").debug("a")
    logging.getLogger("theirs").info("b")
    assert [line["event"] for line in lines(capsys)] == heard


@pytest.mark.parametrize(("level", "heard"), [("debug", ["late"]), ("error", [])])
def test_a_noisy_library_is_heard_from_its_warnings_on_and_never_below_the_level(
    monkeypatch, capsys, level, heard
):
    monkeypatch.setenv("ATELIER_LOG_LEVEL", level)
    configure_logging("worker")
    logging.getLogger(_NOISY).info("received")
    logging.getLogger(_NOISY).warning("late")
    assert [line["event"] for line in lines(capsys)] == heard


def test_a_line_of_the_pool_comes_once(capsys):
    configure_logging("worker")
    logging.getLogger("multiprocessing").warning("a child ended")
    assert [line["event"] for line in lines(capsys)] == ["a child ended"]
