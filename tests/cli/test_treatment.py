"""How a job is to be treated: from options to what the API is sent."""

from __future__ import annotations

from datetime import datetime, timedelta

import click
import pytest
from click.testing import CliRunner

from cli import options, treatment
from cli.main import main
from client import Client
from accept.wire import JobOptions

ECHO = {
    "name": "echo",
    "title": "Echo",
    "description": "",
    "files": {"photo": {"multiple": False}, "styles": {"multiple": True}},
    "params_schema": {
        "properties": {
            "text": {"type": "string"},
            "photo": {"type": "string", "x-artifact": {}},
            "styles": {"type": "array", "items": {"type": "string", "x-artifact": {}}},
        }
    },
}
HELD = {"id": "job_1", "state": "queued", "held": {"reason": "owner", "detail": ""}}


@pytest.fixture
def sent(monkeypatch):
    """What reaches the server: ("submit" or "dry run", arguments)."""
    found = []
    answer = {"engine": "echo", "queue": "cpu", "params": {"text": "x", "seed": None}, "device_seconds": 40.2}
    answer |= {"queue_position": 3, "forecast": {"servable": True, "starts_in": 41.0, "ends_in": 100.0}}
    monkeypatch.setattr(Client, "engine", lambda *_: ECHO)
    monkeypatch.setattr(
        Client, "submit", lambda _, *given, **more: found.append(("submit", *given, more)) or HELD
    )
    monkeypatch.setattr(
        Client, "dry_run", lambda _, *given, **more: found.append(("dry run", *given, more)) or answer
    )
    monkeypatch.setattr(Client, "upload", lambda *_: found.append(("upload",)) or {"id": "art_1"})
    return found


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("ATELIER_URL", "http://127.0.0.1:9")

    def run(*arguments: str):
        return CliRunner().invoke(main, ["--data-dir", str(tmp_path / "data"), "run", "echo", *arguments])

    return run


def test_every_option_of_the_api_is_one_here():
    assert {name.replace("_", "-") for name in JobOptions.model_fields} <= treatment.NAMES
    assert {opt for option in treatment.options() for opt in option.opts} == {
        f"--{name}" for name in treatment.NAMES
    }


def test_a_parameter_of_such_a_name_is_told_apart():
    assert options.flag("webhook_events") == "--param-webhook-events"
    assert options.flag("dry_run") == "--param-dry-run"


def test_what_was_asked_for_is_sent_and_the_server_s_models_take_it(run, sent):
    result = run(
        *("--text", "x", "--priority", "high", "--start-by", "30m", "--timeout", "5", "--hold"),
        *("--webhook", "https://example.org/h", "--webhook-events", "failed", "--webhook-events", "queued"),
    )

    assert result.exit_code == 0, result.output
    ((what, engine, params, given),) = sent
    assert (what, engine, params) == ("submit", "echo", {"text": "x"})
    taken = JobOptions.model_validate(given)
    assert (taken.priority, taken.timeout, taken.hold) == ("high", 5.0, True)
    ahead = taken.start_by - datetime.now().astimezone()
    assert timedelta(minutes=29) < ahead <= timedelta(minutes=30)
    assert taken.webhook.model_dump(mode="json") == {
        "url": "https://example.org/h",
        "events": ["failed", "queued"],
    }


def test_labels_are_sent_as_the_server_s_models_take_them(run, sent):
    result = run(
        *(
            "--detach",
            "--tag",
            "spring",
            "--tags",
            "a, b",
            "--metadata",
            "order=4711",
            "--metadata",
            "who=Bob=1",
        ),
        *(
            "--metadata",
            "code=007",
            "--metadata",
            "odd=1e999",
            "--metadata",
            "list=[1]",
            "--metadata",
            "paid=true",
        ),
    )
    assert result.exit_code == 0, result.output
    taken = JobOptions.model_validate(sent[0][3])
    assert taken.tags == ["spring", "a", "b"]
    assert taken.metadata == {
        "order": 4711, "who": "Bob=1", "code": "007", "odd": "1e999", "list": "[1]", "paid": True,
    }  # fmt: skip


def test_without_any_the_defaults_stay_the_server_s(run, sent):
    run("--detach")

    assert sent == [("submit", "echo", {}, {})]


def test_a_held_job_is_not_waited_for(run, sent):
    assert run("--hold").output.strip() == "job_1"
    assert sent[0][3] == {"hold": True}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--webhook-events", "failed"), "--webhook"),
        (("--start-by", "tomorrow"), "no time"),
        (("--start-by", "25:00"), "no time"),
        (("--start-by", "9999999d"), "no time"),
        (("--timeout", "0"), "--timeout"),
        (("--priority", "urgent"), "urgent"),
        (("--webhook", "u", "--webhook-events", "exploded"), "exploded"),
    ],
)
def test_what_makes_no_sense_is_refused_here(run, sent, arguments, word):
    result = run(*arguments)

    assert result.exit_code == 2
    assert word in result.output
    assert sent == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T18:00:00Z", "2026-11-21T18:00:00+00:00"),
        ("2026-11-21 18:00+02:00", "2026-11-21T16:00:00+00:00"),
    ],
)
def test_a_time_is_understood(text, expected):
    assert treatment.TimeType().convert(text, None, None) == datetime.fromisoformat(expected)


def test_a_time_without_an_offset_is_this_machine_s():
    found = treatment.TimeType().convert("2026-11-21 18:00", None, None)

    assert found == datetime(2026, 11, 21, 18).astimezone()
    assert found.tzinfo is not None


def test_a_time_far_away_is_a_mistake_and_no_crash():
    with pytest.raises(click.BadParameter):
        treatment.TimeType().convert("999999d0", None, None)


@pytest.mark.usefixtures("sent")
def test_help_has_headings(run):
    text = run("--help").output

    order = [
        text.index(part) for part in ("What to make:", "--text", "How the job is treated:", "--priority")
    ]
    order += [text.index(part) for part in ("The command:", "--dry-run", "--help")]
    assert order == sorted(order)


class TestDryRun:
    def test_it_says_what_would_be(self, run, sent):
        text = run("--dry-run", "--text", "x", "--priority", "low").output

        assert sent == [("dry run", "echo", {"text": "x"}, {"priority": "low"})]
        assert "position 3, starts in about 40 s, ends in about 2 min" in text
        assert "takes about 40 s of a device" in text
        assert "text: x" in text
        assert "seed" not in text

    def test_local_files_come_along_and_are_not_uploaded(self, run, sent, tmp_path):
        for name in ("a.png", "b.png"):
            (tmp_path / name).write_bytes(b"png")
        a, b = tmp_path / "a.png", tmp_path / "b.png"

        run("--dry-run", "--photo", str(a), "--styles", "art_1", "--styles", str(b), "--json")

        assert sent == [("dry run", "echo", {"photo": a, "styles": ["art_1", b]}, {})]
