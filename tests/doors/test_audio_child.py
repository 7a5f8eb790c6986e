"""What the child counts in a file; here without its limits, in this process."""

from __future__ import annotations

import io

import pytest

from doors.audio_child import main
from doors.audio_facts import Answer, Facts
from tests.doors.sounds import FILM_SIZE, at_rate, endless, silent_film, sound


def asked(
    data: bytes, demuxer: str, *, declares: bool = True, most: float = 60.0, trial: float = 5.0
) -> Answer:
    request = {"demuxer": demuxer, "declares": declares, "most_seconds": most, "try_seconds": trial}
    return main(request, io.BytesIO(data))


def facts(data: bytes, demuxer: str, **request: object) -> Facts:
    answer = asked(data, demuxer, **request)
    assert answer.facts is not None, answer
    return answer.facts


def test_all_packets_are_counted_and_the_first_seconds_decoded():
    found = facts(sound("flac"), "flac", trial=0.5)
    assert (found.codec, found.known, found.rate, found.channels) == ("flac", True, 44_100, 2)
    assert found.counted == pytest.approx(2.0, abs=0.01)
    assert 0.5 <= found.tried < 0.7
    assert found.decoded == pytest.approx(found.tried, abs=0.01)
    assert found.faults == 0
    assert (found.width, found.height) == (None, None)


def test_what_a_file_declares_is_told_where_it_is_asked_for():
    assert facts(sound("wav"), "wav").declared == pytest.approx(2.0)
    assert facts(sound("wav"), "wav", declares=False).declared is None


def test_what_declares_too_much_is_not_gone_through():
    found = facts(endless(), "flac", most=60.0)
    assert found.declared is not None
    assert found.declared > 60
    assert (found.counted, found.tried) == (0.0, 0.0)


def test_counting_ends_where_it_is_too_long():
    found = facts(at_rate(8_000, seconds=4.0), "wav", declares=False, most=1.0)
    assert 1.0 < found.counted < 2.0


def test_a_film_says_its_size_and_a_silent_one_has_no_sound():
    found = facts(sound("mp4"), "mov")
    assert (found.width, found.height) == FILM_SIZE
    assert asked(silent_film(), "mov") == Answer(no_sound=True)


def test_the_reader_that_is_asked_for_is_the_only_one():
    """However well FFmpeg would know better."""
    assert asked(sound("flac"), "mov").broken
    assert asked(b"no sound at all" * 9, "mov").broken


def test_what_has_no_rate_is_not_gone_through():
    found = facts(b"no sound at all" * 9, "flac")
    assert (found.rate, found.counted, found.faults) == (0, 0.0, 0)


def test_damaged_packets_are_faults_and_not_the_end():
    data = bytearray(sound("alac"))
    data[len(data) // 2 : len(data) // 2 + 600] = b"\xff" * 600
    found = facts(bytes(data), "mov")
    assert found.faults > 0
    assert found.decoded < found.tried - 0.05
    assert found.counted == pytest.approx(2.0, abs=0.01)
