"""The process that looks at a file: what becomes of it when it does not what it should."""

from __future__ import annotations

import io

import pytest

from doors.base import NotInspected
from doors.child import ANSWER_BYTES, BrokeDown, Limits, TooMuchWork, ask


def naughty(what: str, data: bytes = b"data", **limits: float) -> str:
    limits = {"cpu_seconds": 1} | limits
    return ask("tests.doors.naughty_child", {"what": what}, io.BytesIO(data), Limits(**limits)).decode()


def test_it_has_the_file_as_its_input_and_nothing_of_our_environment(monkeypatch):
    monkeypatch.setenv("ATELIER_SECRET", "a key")
    assert naughty("nothing", b"the file") == "the file\n"
    assert not {"ATELIER_SECRET", "HOME", "PATH"} & set(naughty("environment").strip().split(","))


def test_what_takes_too_long_is_the_file_s_fault_and_what_a_busy_machine_does_is_not():
    with pytest.raises(TooMuchWork):
        naughty("spin")
    with pytest.raises(NotInspected, match="not done in 1 seconds"):
        naughty("sleep", seconds=1)


@pytest.mark.parametrize("what", ["crash", "flood"])
def test_a_reader_that_breaks_down_breaks_nothing_else(what):
    """Also where it would fill the disk: it has one file, of `ANSWER_BYTES`."""
    assert ANSWER_BYTES < 100_000
    with pytest.raises(BrokeDown):
        naughty(what)


def test_one_that_never_begins_is_no_fault_of_the_file_s():
    with pytest.raises(NotInspected, match="status 3"):
        naughty("never")
