"""Which key a due time has, and that no client can send one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from api.requests.reading import _KEY
from schedules.keys import of_due_time, of_order, schedule_of

ID = "sch_" + "0" * 32
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def test_one_due_time_has_one_key_however_it_is_written():
    there = NOON.astimezone(timezone(timedelta(hours=2)))

    assert of_due_time(ID, NOON) == of_due_time(ID, there) == f"schedule {ID} 2030-01-01T12:00:00Z"
    assert of_due_time(ID, NOON) != of_due_time(ID, NOON + timedelta(minutes=5))


def test_an_order_has_its_client_s_key_and_otherwise_one_of_its_own():
    assert of_order(ID, "k") == of_order(ID, "k") != of_order(ID, "l")
    assert of_order(ID, None) != of_order(ID, None)


def test_a_key_names_its_schedule():
    assert schedule_of(of_due_time(ID, NOON)) == schedule_of(of_order(ID, "x" * 255)) == ID
    assert schedule_of("schedule:x") is schedule_of(None) is None


def test_no_client_can_send_one_and_every_one_fits_its_column():
    for key in (of_due_time(ID, NOON), of_order(ID, "x" * 255), of_order(ID, None)):
        assert not _KEY.fullmatch(key)
        assert len(key) <= 255
