"""The protocol: what an answer says, and what each failure means."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from engines.base import Away, EngineError, Transient
from engines.prompts.answers import (
    Answer,
    ProviderMisconfigured,
    ProviderRefused,
    WrongAnswer,
    answer,
    failure,
    retry_after,
)
from tests.chat import completion


def said(**changes) -> bytes:
    return json.dumps(completion({"content": "hello"}) | changes).encode()


def test_an_answer_with_what_it_took():
    told = answer(said(), asked=4000)
    assert told == Answer("hello", "", "tiny-chat-2026-11-01", "stop", 20, 10)
    assert told.tokens == 30
    assert Answer.loaded(told.dumped()) == told


@pytest.mark.parametrize(
    "usage", [None, {}, [], {"prompt_tokens": "many", "completion_tokens": True}, {"prompt_tokens": -1}]
)
def test_what_is_not_said_of_tokens_is_estimated(usage):
    told = answer(said(usage=usage), asked=4000)
    assert (told.prompt_tokens, told.completion_tokens) == (1000, 1)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"<!doctype html><p>Sign in", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000),
        said(choices=[]),
        said(choices=None),
        said(choices=[{}]),
        said(choices=["a"]),
        said(choices=[{"message": None}]),
        json.dumps(completion({"content": ""})).encode(),
        json.dumps(completion({"content": None})).encode(),
        json.dumps(completion({"content": " \n"})).encode(),
        json.dumps(completion({"content": [{"type": "text", "text": "a"}]})).encode(),
        json.dumps(completion({"content": 7})).encode(),
    ],
    ids=lambda body: str(len(body)),
)
def test_what_is_no_answer_is_worth_another_try_and_no_worker_s_fault(body):
    with pytest.raises(WrongAnswer) as wrong:
        answer(body, asked=1)
    assert isinstance(wrong.value, Transient)
    assert wrong.value.code == "provider_answer_unusable"


def test_what_nobody_can_store_is_left_out():
    told = answer(json.dumps(completion({"content": "a\0b\ud800"})).encode(), asked=1)
    assert told.text == "ab?"


def test_filtered_contents_are_no_empty_answer():
    assert answer(json.dumps(completion({"content": ""}, "content_filter")).encode(), asked=1).text == ""


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Away) for status in (408, 409, 425, 429, 500, 502, 503, 504, 529)),
        *((status, ProviderMisconfigured) for status in (301, 302, 307, 308, 401, 403, 404, 405)),
        *((status, ProviderRefused) for status in (400, 402, 413, 422)),
        (204, WrongAnswer),
    ],
)
def test_each_status_has_its_meaning(status, kind):
    assert type(failure(status, {}, b"")) is kind


def test_a_refusal_of_the_request_says_why():
    error = failure(400, {}, json.dumps({"error": {"message": "Too long: " + "x" * 1000}}).encode())
    assert "Too long" in str(error)
    assert len(str(error)) < 400
    for body in (b"", b"<html>", b"[]", b'{"error": "no"}', b'{"error": {"message": 7}}'):
        assert isinstance(failure(400, {}, body), EngineError)


def test_what_is_said_of_a_key_is_not_repeated():
    error = failure(401, {}, json.dumps({"error": {"message": "Incorrect API key: sk-planted"}}).encode())
    assert "planted" not in str(error)
    assert "mend" in str(error)


def test_when_to_come_back():
    error = failure(429, {"retry-after": "7"}, b"")
    assert isinstance(error, Away)
    assert error.retry_after == 7
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert retry_after(later) == pytest.approx(90, abs=3)
    assert retry_after(format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)) == 0.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 12 ", 12.0),
        ("1.5", 1.5),
        *((t, None) for t in ("", "soon", "-1", "nan", "9" * 400, "١")),
    ],
    ids=["0", "spaces", "part", "empty", "word", "negative", "nan", "digits", "arabic"],
)
def test_odd_times(text, seconds):
    assert retry_after(text) == seconds
