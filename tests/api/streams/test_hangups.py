"""Held requests whose client has gone are noticed, and so is the end of the process."""

from __future__ import annotations

import socket
import threading

import pytest

from api.streams.hangups import HangUps


@pytest.fixture
def closing() -> threading.Event:
    return threading.Event()


@pytest.fixture
def hang_ups(closing) -> HangUps:
    return HangUps(closing)


def test_only_the_one_whose_client_has_gone_is_called(hang_ups):
    ours, theirs = socket.socketpair()
    other, others = socket.socketpair()
    gone, other_gone = threading.Event(), threading.Event()
    with ours, other, others, hang_ups.noticed(ours, gone.set), hang_ups.noticed(other, other_gone.set):
        assert not gone.wait(0.6)
        theirs.close()
        assert gone.wait(5)
        assert not other_gone.wait(0.6)


def test_a_client_that_sent_more_before_it_went_is_gone_as_well(hang_ups):
    ours, theirs = socket.socketpair()
    gone = threading.Event()
    with ours, hang_ups.noticed(ours, gone.set):
        theirs.sendall(b"GET / HTTP/1.1\r\n")
        assert not gone.wait(0.6)
        theirs.close()
        assert gone.wait(5)


def test_the_end_of_the_process_calls_everybody(hang_ups, closing):
    ours, theirs = socket.socketpair()
    gone, hidden = threading.Event(), threading.Event()
    with ours, theirs, hang_ups.noticed(ours, gone.set), hang_ups.noticed(None, hidden.set):
        assert not hidden.wait(0.6)
        closing.set()
        assert gone.wait(5)
        assert hidden.wait(5)


def test_who_left_is_not_called(hang_ups, closing):
    called = threading.Event()
    with hang_ups.noticed(None, called.set):
        pass
    closing.set()
    assert not called.wait(0.6)
