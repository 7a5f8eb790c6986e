"""Which moments a cron text means, over the changes of real zones' clocks; and which texts are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import BadSchedule
from schedules.times import MAX_CRON, times

#: Zones with changes forwards and back: by an hour on either half of the earth, and by half an hour.
CHANGES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),
}

MINUTE = timedelta(minutes=1)


def moment(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def on(cron: str, zone: str, day: str) -> list[str]:
    """When it fires on this day there, as clocks there show it, with what they are ahead of UTC."""
    found, begin = [], moment(day, zone).astimezone(UTC) - timedelta(seconds=1)
    made = times(cron, zone)
    while (begin := made.after(begin)) is not None:
        shown = begin.astimezone(ZoneInfo(zone))
        if f"{shown:%Y-%m-%d}" != day:
            return found
        found.append(f"{shown:%H:%M%z}")
    return found


@pytest.mark.parametrize(
    ("zone", "cron", "forwards", "back"),
    [
        ("Europe/Berlin", "30 2 * * *", ["03:00+0200"], ["02:30+0200"]),
        ("Europe/Berlin", "0 2,3 * * *", ["03:00+0200"], ["02:00+0200", "03:00+0100"]),
        ("Europe/Berlin", "*/20 2 * * *", ["03:00+0200"], ["02:00+0200", "02:20+0200", "02:40+0200"]),
        ("Europe/Berlin", "15 9 * * *", ["09:15+0200"], ["09:15+0100"]),
        ("America/New_York", "30 1,2 * * *", ["01:30-0500", "03:00-0400"], ["01:30-0400", "02:30-0500"]),
        ("America/New_York", "59 2 * * *", ["03:00-0400"], ["02:59-0500"]),
        ("Australia/Lord_Howe", "15 2 * * *", ["02:30+1100"], ["02:15+1030"]),
        ("Australia/Lord_Howe", "45 1 * * *", ["01:45+1030"], ["01:45+1100"]),
        ("Australia/Lord_Howe", "30 1,2 * * *", ["01:30+1030", "02:30+1100"], ["01:30+1100", "02:30+1030"]),
    ],
)
def test_a_time_of_day_fires_once_whatever_the_clock_does(zone, cron, forwards, back):
    assert on(cron, zone, CHANGES[zone][0]) == forwards
    assert on(cron, zone, CHANGES[zone][1]) == back


def test_what_happens_every_hour_goes_on_through_an_hour_that_comes_twice():
    spring = on("30 * * * *", "Europe/Berlin", "2026-03-29")
    autumn = on("30 * * * *", "Europe/Berlin", "2026-10-25")

    # 02:30 of spring is 03:00, half an hour before 03:30.
    assert spring[:4] == ["00:30+0100", "01:30+0100", "03:00+0200", "03:30+0200"]
    assert autumn[:5] == ["00:30+0200", "01:30+0200", "02:30+0200", "02:30+0100", "03:30+0100"]
    assert len(on("*/5 * * * *", "Europe/Berlin", "2026-10-25")) == 25 * 12


def test_a_day_that_a_zone_left_out_fires_as_it_ends():
    assert on("0 9 30 12 *", "Pacific/Apia", "2011-12-31") == ["00:00+1400"]


def test_the_first_of_two_equal_times_does_not_come_again_when_asked_between_them():
    berlin = times("30 2 * * *", "Europe/Berlin")
    first = moment("2026-10-25T00:30")  # in UTC

    assert berlin.after(first - timedelta(minutes=1)) == first
    for minutes in (0, 1, 29, 30, 60, 61):
        assert berlin.after(first + timedelta(minutes=minutes)) == moment("2026-10-26T01:30")


@pytest.mark.parametrize(
    ("cron", "until", "latest"),
    [
        ("0 9 * * *", "2026-05-02T08:59", "2026-05-01T09:00"),
        ("0 9 * * *", "2026-05-02T09:00", "2026-05-02T09:00"),
        ("0 9 * * *", "2026-01-01T09:00", "2026-01-01T09:00"),
        ("0 9 * * *", "2026-01-01T09:30", "2026-01-01T09:00"),
        ("*/5 9 * * *", "2030-05-02T08:59", "2030-05-01T09:55"),
        ("0 9 1 1 *", "2030-12-31T00:00", "2030-01-01T09:00"),
    ],
)
def test_of_many_missed_ones_the_last_is_found(cron, until, latest):
    first = moment("2026-01-01T09:00")
    assert times(cron, "UTC").latest(first, moment(until)) == moment(latest)


def test_the_next_five():
    found = times("0 12 * * MON-FRI", "America/New_York").upcoming(moment("2026-11-25T17:00"), 5)

    days = [f"{one.astimezone(ZoneInfo('America/New_York')):%m-%d %H:%M}" for one in found]
    assert days == ["11-26 12:00", "11-27 12:00", "11-30 12:00", "12-01 12:00", "12-02 12:00"]


@pytest.mark.parametrize(
    ("cron", "code"),
    [
        ("", "bad_cron"),
        ("* * * *", "bad_cron"),
        ("0 0 9 * * *", "bad_cron"),
        ("@daily", "bad_cron"),
        ("61 * * * *", "bad_cron"),
        ("0 24 * * *", "bad_cron"),
        ("0 9 * * FOO", "bad_cron"),
        ("0 9 30 2 *", "bad_cron"),
        ("0 9 */20 * 1L", "never"),
        ("0 9 " + ",".join(["1"] * MAX_CRON) + " * *", "bad_cron"),
        ("* * * * *", "too_often"),
        ("*/4 * * * *", "too_often"),
        ("0,3 9 * * *", "too_often"),
        ("2,58 * * * *", "too_often"),
        ("2,58 9,10 * * *", "too_often"),
        ("2,58 0,23 * * *", "too_often"),
    ],
)
def test_a_cron_text_that_cannot_be_had_is_refused(cron, code):
    with pytest.raises(BadSchedule) as refused:
        times(cron, "UTC")
    (wrong,) = refused.value.extra["errors"]
    assert (wrong["field"], wrong["code"]) == ("cron", code)


@pytest.mark.parametrize(
    "cron", ["*/5 * * * *", "2,58 9 * * *", "2,58 9,11 * * *", " 0  9 * * mon#1 ", "0 0 L * *"]
)
def test_a_cron_text_that_can_be_had(cron):
    assert times(cron, "UTC").cron == " ".join(cron.split())


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("", "as Europe/Berlin"),
        ("../../etc/passwd", "as Europe/Berlin"),
        ("Europe", "Did you mean"),
        ("+02:00", "as Europe/Berlin"),
    ],
)
def test_a_zone_that_there_is_not_is_refused(zone, hint):
    with pytest.raises(BadSchedule, match=hint):
        times("0 9 * * *", zone)


CRONS = st.builds(
    "{} {} {} * {}".format,
    st.sampled_from(["0", "30", "59", "*/5", "*/20", "0,45", "7-52/15"]),
    st.sampled_from(["*", "1", "2", "1-3", "*/2", "0,2,23"]),
    st.sampled_from(["*", "*/2", "1-31"]),
    st.sampled_from(["*", "SUN", "6,0"]),
)
#: A moment within a day of some change.
MOMENTS = st.builds(
    lambda zone, which, minutes: (zone, moment(CHANGES[zone][which]) + timedelta(minutes=minutes)),
    st.sampled_from(sorted(CHANGES)),
    st.sampled_from([0, 1]),
    st.integers(-1440, 1440),
)


@settings(deadline=None)
@given(CRONS, MOMENTS)
def test_each_local_time_fires_once_and_nothing_else_does(cron, place):
    """Against every minute of two days, looked at one by one."""
    # given: what the text names on a clock that is never changed
    zone, begin = place
    there = ZoneInfo(zone)
    end = begin + timedelta(days=2)
    named = set()
    for local in CronSim(cron, begin.replace(tzinfo=None) - timedelta(days=2)):
        if local > end.replace(tzinfo=None) + timedelta(days=2):
            break
        named.add(local)
    # when
    made = times(cron, zone)
    fired, last = [], begin
    while (last := made.after(last)) <= end:
        fired.append(last)
    # then: each minute that is named, the first time that clocks show it; or the end of the gap it is in
    hours_before = (begin - timedelta(minutes=back) for back in range(181))
    seen = {one.astimezone(there).replace(tzinfo=None) for one in hours_before}
    expected, before, minute = [], begin.astimezone(there).replace(tzinfo=None), begin
    while (minute := minute + timedelta(minutes=1)) <= end:
        shown = minute.astimezone(there).replace(tzinfo=None)
        left_out = any(before < local < shown for local in named) if shown - before > MINUTE else False
        if left_out or (shown in named and (shown not in seen or cron.split()[1] == "*")):
            expected.append(minute)
        seen.add(shown)
        before = shown
    assert fired == expected
    assert all(sooner < later for sooner, later in pairwise(fired))


@settings(deadline=None)
@given(CRONS, MOMENTS, st.integers(1, 60 * 24 * 400))
def test_the_latest_one_is_the_one_after_which_the_next_is_too_late(cron, place, minutes):
    zone, begin = place
    made = times(cron, zone)
    first = made.after(begin)
    assert first is not None
    until = first + timedelta(minutes=minutes)

    latest = made.latest(first, until)

    assert first <= latest <= until
    following = made.after(latest)
    assert following is not None
    assert following > until
    assert latest.tzinfo is UTC
