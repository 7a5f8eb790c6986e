"""Params, by the engine's own model."""

from __future__ import annotations

import pytest

import engines
from accept.field_errors import MAX_ERRORS, MAX_TEXT
from accept.validation import TOO_MUCH, validate
from jobs.errors import InvalidParams

ECHO = engines.spec("echo")


def refused(**params):
    with pytest.raises(InvalidParams) as caught:
        validate(ECHO, params)
    return caught.value


@pytest.mark.parametrize("name", engines.names())
def test_every_example_is_valid_and_stays_as_it_is(name):
    spec = engines.spec(name)
    found = validate(spec, spec.example)
    assert validate(spec, found.model_dump(mode="json")) == found


def test_types_are_those_of_json():
    assert validate(ECHO, {"seconds": 1}).seconds == 1.0
    assert refused(seconds="1").extra["errors"][0]["field"] == "seconds"
    assert refused(together=1).extra["errors"][0]["field"] == "together"
    assert refused(seconds=float("nan")).extra["errors"][0]["field"] == "seconds"


def test_unknown_ones_are_named_first_and_not_all_of_them():
    found = refused(seconds=-1, **{f"{'n' * 1000}{n:03}": 0 for n in range(100)}).extra["errors"]
    assert len(found) == MAX_ERRORS
    assert {entry["code"] for entry in found} == {"extra_forbidden"}
    assert all(len(entry["field"]) == MAX_TEXT for entry in found)


@pytest.mark.parametrize("value", ["a\0b", ["\0"], {"\0": 1}, {"a": [{"b": "\0"}]}])
def test_a_nul_is_found_wherever_it_is(value):
    (entry,) = refused(text=value).extra["errors"]
    assert (entry["field"], entry["code"]) == ("text", "nul_character")


def test_what_cannot_be_written_as_json_is_too_much():
    assert refused(seed=10**5000).detail == TOO_MUCH
