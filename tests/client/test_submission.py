"""What goes first, what goes along, and that the same again is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from client import submission
from client.calls.base import Form
from client.submission import Submission
from client.uploads import File

A, B = File("a.png", b"a"), File("b.png", b"b")


def wanted(params, files=(), key="k", **options) -> Submission:
    return Submission("paint", params, files, options, key)


def ready(found: Submission) -> Submission:
    """With its uploads stored as art_<name>."""
    for file, _ in found.uploads():
        found.stored(file, {"id": f"art_{file.name}"})
    return found


def test_without_files_it_is_json():
    call = ready(wanted({"text": "x"}, priority="low")).call()
    assert call.body == {"engine": "paint", "params": {"text": "x"}, "priority": "low"}
    assert (call.headers["Idempotency-Key"], call.repeatable) == ("k", True)


def test_every_submission_has_a_key_of_its_own():
    first, second = (wanted({}, key=None).call().headers["Idempotency-Key"] for _ in range(2))
    assert first != second


def test_small_files_go_along():
    found = wanted({"photo": A, "styles": ["art_1", B], "size": 7, "hold": None}, tags=["x"], start_by="now")
    assert list(found.uploads()) == []
    body = found.call().body
    assert isinstance(body, Form)
    assert list(body.files) == [("photo", A), ("styles", B)]
    assert body.fields == {
        "engine": "paint",
        "params": '{"styles": ["art_1"], "size": 7, "hold": null}',
        "tags": '["x"]',
        "start_by": "now",
    }


def test_large_ones_go_first(monkeypatch):
    monkeypatch.setattr(submission, "LARGE", 1)
    found = wanted({"photo": A, "styles": (A, B)})
    uploads = list(found.uploads())
    assert [file.name for file, _ in uploads] == ["a.png", "a.png", "b.png"]
    keys = [call.headers["Idempotency-Key"] for _, call in uploads]
    again = [call.headers["Idempotency-Key"] for _, call in wanted({"photo": A, "styles": (A, B)}).uploads()]
    assert keys == again
    assert len(set(keys)) == 3
    assert ready(found).call().body == {
        "engine": "paint",
        "params": {"photo": "art_a.png", "styles": ["art_a.png", "art_b.png"]},
    }


def test_the_order_of_a_mixed_list_is_kept():
    call = ready(wanted({"styles": [A, "art_1", B]})).call()
    assert call.body == {"engine": "paint", "params": {"styles": ["art_a.png", "art_1", "art_b.png"]}}


def test_what_always_goes_along_does(monkeypatch):
    monkeypatch.setattr(submission, "LARGE", 0)
    found = wanted({}, [("photo", A)])
    assert list(found.uploads()) == []
    assert found.call().body == Form({"engine": "paint", "params": "{}"}, [("photo", A)])


def test_an_empty_list_stays_one():
    assert wanted({"styles": []}).call().body == {"engine": "paint", "params": {"styles": []}}


def test_a_dry_run_keeps_nothing_and_is_no_submission(monkeypatch):
    monkeypatch.setattr(submission, "LARGE", 0)
    call = wanted({"photo": A}).dry_run()
    assert call.query == {"dry_run": "true"}
    assert isinstance(call.body, Form)
    assert "Idempotency-Key" not in call.headers


def test_a_path_that_is_not_there_says_so():
    with pytest.raises(FileNotFoundError):
        list(wanted({"photo": Path("/no/such.png")}).uploads())
