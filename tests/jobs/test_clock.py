"""One clock for every machine: the database's, in expressions and in columns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import bindparam, select

from jobs.clock import UTCDateTime, now, seconds_since


def asked(database, expression, **values):
    return database.read(lambda c: c.execute(select(expression), values).scalar_one())


def test_it_is_an_aware_time_in_utc(database):
    found = asked(database, now())
    assert found.tzinfo is UTC
    assert abs((found - datetime.now(UTC)).total_seconds()) < 5


@pytest.mark.parametrize("seconds", [-90.5, 0.25, 86_400])
def test_seconds_are_added_to_it(database, seconds):
    began = asked(database, now())
    found = asked(database, now(seconds))
    assert (found - began).total_seconds() == pytest.approx(seconds, abs=2)


def test_it_goes_on_within_a_transaction(database):
    """A lease that is renewed late in a long transaction is measured from then."""

    def twice(connection):
        first = connection.execute(select(now())).scalar_one()
        while connection.execute(select(now())).scalar_one() == first:
            pass
        return True

    assert database.write(twice)


def test_what_passed_since_a_time(database):
    then = datetime.now(UTC) - timedelta(hours=2)
    found = asked(database, seconds_since(bindparam("then", type_=UTCDateTime())), then=then)
    assert found == pytest.approx(7200, abs=5)


@pytest.mark.parametrize("hours", [-8, 0, 5.5], ids=["west", "utc", "east"])
def test_a_time_of_any_zone_comes_back_as_the_same_moment(database, hours):
    given = datetime(2027, 3, 28, 1, 30, 15, 123_000, tzinfo=timezone(timedelta(hours=hours)))
    found = asked(database, bindparam("then", type_=UTCDateTime()), then=given)
    assert (found, found.utcoffset()) == (given, timedelta(0))
