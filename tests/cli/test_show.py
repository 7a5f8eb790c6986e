"""How commands speak: short, and a line where a line is read by a program."""

from __future__ import annotations

import io
from datetime import datetime, timedelta

import pytest
from rich.console import Console

from cli import show


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "-"), (0.04, "0.0s"), (99.6, "100s"), (200, "3m20s"), (7500, "2h05m")]
)
def test_durations_in_a_column(value, shown):
    assert show.short_seconds(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0, "0.0 s"), (9.94, "9.9 s"), (10, "10 s"), (119, "119 s"), (200.9, "3 min 20 s")],
)
def test_durations_in_a_sentence(value, shown):
    assert show.seconds(value) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (2**43, "8192.0 GiB")],
)
def test_sizes(count, shown):
    assert show.size(count) == shown


def test_a_moment_is_short():
    now = datetime.now().astimezone()
    yesterday = now - timedelta(days=1)

    assert show.moment(now.isoformat()) == f"{now:%H:%M}"
    date = f"{yesterday:%d %b}" if yesterday.year == now.year else f"{yesterday:%Y}"
    assert show.moment(yesterday.isoformat()) == date
    assert show.moment("2020-11-20T12:00:00Z") == "2020"


def said(*events: dict[str, object]) -> list[str]:
    """Lines of a console that is no terminal."""
    made = io.StringIO()
    with show.progress(Console(file=made, width=40)) as step:
        for one in events:
            step(one)
    return made.getvalue().splitlines()


def event(state, message="", progress=0.0):
    return {"version": 1, "state": state, "progress": progress, "message": message}


def test_without_a_terminal_a_line_is_not_said_twice(monkeypatch):
    monkeypatch.setattr(show, "PLAIN_SECONDS", 0.0)
    places = ("", "position 2", "position 2", "position 1")

    assert [line.strip() for line in said(*(event("queued", place) for place in places))] == [
        "queued      0%",
        "queued      0%  position 2",
        "queued      0%  position 1",
    ]


def test_without_a_terminal_steps_are_far_apart_and_a_new_state_is_not_waited_for():
    assert said(
        event("running", "layer 1", 0.1), event("running", "layer 2", 0.2), event("succeeded", "", 1.0)
    ) == ["running    10%  layer 1", "succeeded 100%"]


def test_what_an_engine_says_is_no_markup_and_one_line():
    message = "[red]" + "x" * 60
    assert said(event("running", message)) == [f"running     0%  {message}"]


def test_where_it_is_narrow_a_title_is_broken_and_what_is_copied_is_not():
    made = io.StringIO()
    table = show.table("JOB", "TITLE")
    table.add_row("job_1234567890", "a title of many words")
    Console(file=made, width=24).print(table)
    lines = [line.split() for line in made.getvalue().splitlines()]
    assert lines[1] == ["job_1234567890", "a", "title"]
    assert lines[2][0] == "of"


def test_without_a_terminal_another_stage_is_not_waited_for():
    assert said(
        event("in parts", "a 1/2") | {"stage": "a"},
        event("in parts", "a 2/2") | {"stage": "a"},
        event("in parts", "b 0/2", 0.5) | {"stage": "b"},
    ) == ["in parts    0%  a 1/2", "in parts   50%  b 0/2"]
