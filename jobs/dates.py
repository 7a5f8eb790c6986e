"""Times and days as clients may send them: RFC 3339, with an offset, and such as every clock can hold."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

#: How far ahead a time may lie: further is a mistake, and near year 9999 there are times that UTC has not.
MOST_DAYS_AHEAD = 3660

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OFFSET = re.compile(r"(?:Z|[+-][0-9]{2}:?[0-9]{2})")
_TIME = re.compile(rf"{_DAY.pattern}[T ][0-9:.]+(?:{_OFFSET.pattern})?", re.IGNORECASE)

# Read here and not by pydantic, which takes a number, and a text of digits, for seconds since 1970.


def _read_time(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    if not (isinstance(value, str) and _TIME.fullmatch(value)):
        raise ValueError("write it out: 2026-11-26T23:59:00Z")
    # Where the client's clock stands is nothing that the server could know.
    if not _OFFSET.search(value.upper(), len("2026-11-26")):
        raise ValueError("say in which time zone: 2026-11-26T23:59:00Z, or with an offset as in +01:00")
    try:
        return datetime.fromisoformat(value.upper())
    except ValueError as error:
        raise ValueError("there is no such time") from error


def _read_day(value: Any) -> Any:
    if isinstance(value, date):
        return value
    if not (isinstance(value, str) and _DAY.fullmatch(value)):
        raise ValueError("write it out: 2026-11-26")
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise ValueError("there is no such day") from error


def _fits(value: datetime) -> datetime:
    """The same time in UTC."""
    try:
        utc = value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("this time is out of range") from error
    if utc > datetime.now(UTC) + timedelta(days=MOST_DAYS_AHEAD):
        raise ValueError("this is more than ten years ahead")
    return utc


#: A point in time, in UTC whatever offset it came with.
When = Annotated[AwareDatetime, BeforeValidator(_read_time), AfterValidator(_fits)]

#: A day.
Day = Annotated[date, BeforeValidator(_read_day)]
