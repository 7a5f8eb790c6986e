"""What an owner may have where neither they nor the operator said anything, and where the operator did."""

from __future__ import annotations

import pytest

from jobs import policy

USUAL = {
    "ATELIER_MAX_RUNNING": (policy.max_running, 0),
    "ATELIER_MAX_QUEUED": (policy.max_queued, 20_000),
    "ATELIER_MAX_NETWORKS": (policy.max_networks, 100),
    "ATELIER_MAX_STORED_BYTES": (policy.max_stored_bytes, 53_687_091_200),
    "ATELIER_KEEP_DAYS": (policy.keep_days, 0),
}


@pytest.mark.parametrize("name", USUAL)
def test_nothing_said_and_an_empty_word_are_the_default(monkeypatch, name):
    read, usual = USUAL[name]
    monkeypatch.delenv(name, raising=False)
    assert read() == usual
    monkeypatch.setenv(name, "")
    assert read() == usual


@pytest.mark.parametrize("name", USUAL)
def test_zero_is_any_number_and_not_the_default(monkeypatch, name):
    monkeypatch.setenv(name, "0")
    assert USUAL[name][0]() == 0


@pytest.mark.parametrize("name", USUAL)
def test_it_is_read_each_time(monkeypatch, name):
    for said in (7, 8):
        monkeypatch.setenv(name, str(said))
        assert USUAL[name][0]() == said


def test_days_may_be_parts_of_one(monkeypatch):
    monkeypatch.setenv("ATELIER_KEEP_DAYS", "0.5")
    assert policy.keep_days() == 0.5


def test_what_is_no_number_stops_the_process(monkeypatch):
    monkeypatch.setenv("ATELIER_MAX_QUEUED", "many")
    with pytest.raises(ValueError, match="many"):
        policy.max_queued()
