"""Times and days as clients may send them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from jobs.dates import MOST_DAYS_AHEAD, Day, When

WHEN, DAY = TypeAdapter(When), TypeAdapter(Day)


@pytest.mark.parametrize(
    "text", ["2026-11-26T23:59:00Z", "2026-11-27 00:59:00+01:00", "2026-11-26T18:59:00.0-0500"]
)
def test_a_time_is_one_in_utc_whatever_offset_it_came_with(text):
    found = WHEN.validate_json(json.dumps(text), strict=True)
    assert found == datetime(2026, 11, 26, 23, 59, tzinfo=UTC)
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("9999-12-31T23:59:59-23:59", "out of range"),
        ("0001-01-01T00:00:00+23:59", "out of range"),
        ("9999-12-31T23:59:59Z", "ten years"),
        pytest.param(
            (datetime.now(UTC) + timedelta(days=MOST_DAYS_AHEAD + 1)).isoformat(),
            "ten years",
            id="a day too far",
        ),
        ("1795740000", "write it out"),
        ("1795740000.5", "write it out"),
        ("2026-11-26T23:59:00", "time zone"),
        ("2026-11-26", "write it out"),
        ("2026-11-26T25:59:00Z", "no such time"),
        ("2026-02-30T12:00:00Z", "no such time"),
        ("tomorrow", "write it out"),
        (1795740000, "write it out"),
        (True, "write it out"),
    ],
)
def test_what_is_no_time_that_can_be_kept_is_refused_in_words(text, why):
    with pytest.raises(ValidationError, match=why):
        WHEN.validate_json(json.dumps(text), strict=True)


def test_a_day_is_written_out():
    assert DAY.validate_python("2026-11-26").day == 26
    with pytest.raises(ValidationError, match="write it out"):
        DAY.validate_python("86400")


def test_the_schema_is_still_that_of_a_time():
    assert WHEN.json_schema() == {"type": "string", "format": "date-time"}
    assert DAY.json_schema() == {"type": "string", "format": "date"}
