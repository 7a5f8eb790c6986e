"""Times and days as clients may send them: RFC 3339, with an offset, and such as every clock can hold."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

#: How far ahead something may be put off: further is a mistake.
MOST_DAYS_AHEAD = 3660

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OFFSET = re.compile(r"(?:Z|[+-][0-9]{2}:?[0-9]{2})")
_TIME = re.compile(rf"{_DAY.pattern}[T ][0-9:.]+(?:{_OFFSET.pattern})?", re.IGNORECASE)

# Read here and not by pydantic, which takes a number, and a text of digits, for seconds since 1970.


def _read_time(value: object) -> object:
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


def _read_day(value: object) -> object:
    if isinstance(value, date):
        return value
    if not (isinstance(value, str) and _DAY.fullmatch(value)):
        raise ValueError("write it out: 2026-11-26")
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise ValueError("there is no such day") from error


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("this time is out of range") from error


def _is_near(value: datetime) -> datetime:
    if value > datetime.now(UTC) + timedelta(days=MOST_DAYS_AHEAD):
        raise ValueError("this is more than ten years ahead")
    return value


#: A point in time to compare others with, in UTC whatever offset it came with.
Moment = Annotated[AwareDatetime, BeforeValidator(_read_time), AfterValidator(_in_utc)]
#: One at which something is to happen.
When = Annotated[Moment, AfterValidator(_is_near)]

#: A day.
Day = Annotated[date, BeforeValidator(_read_day)]
