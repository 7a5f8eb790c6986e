"""The answer about a sound: told in JSON, and believed only word by word."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from pydantic import TypeAdapter, ValidationError

from doors.audio_facts import Answer, Facts

ANSWER = TypeAdapter(Answer)
FACTS = Facts(codec="mp3", known=True, rate=44_100, channels=2, declared=2.0, counted=1.5, faults=3)


@pytest.mark.parametrize(
    "answer",
    [Answer(FACTS), Answer(broken="invalid"), Answer(no_sound=True), Answer(memory=True)],
    ids=["facts", "broken", "no-sound", "memory"],
)
def test_what_is_said_is_what_is_understood(answer):
    assert ANSWER.validate_json(json.dumps(asdict(answer))) == answer


@pytest.mark.parametrize(
    "change",
    [
        {"rate": "44100"}, {"known": 1}, {"channels": 2.5}, {"counted": float("inf")},
        {"declared": float("nan")}, {"codec": None}, {"more": 1},
    ],
    ids=["text", "number-as-bool", "fraction", "infinite", "nan", "nothing", "unknown"],
)  # fmt: skip
def test_what_is_of_another_kind_is_not_believed(change):
    said = json.dumps({"facts": asdict(FACTS) | change})
    with pytest.raises(ValidationError):
        ANSWER.validate_json(said)


def test_an_answer_with_more_in_it_is_none():
    with pytest.raises(ValidationError):
        ANSWER.validate_json('{"memory": true, "path": "/etc"}')
