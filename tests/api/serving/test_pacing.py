"""How long a thread waits for a client."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from api.serving.pacing import Pace, PacedSocket

#: More than a connection of this machine takes unread.
LARGE = bytes(50_000_000)


@pytest.fixture
def ends() -> Iterator[tuple[PacedSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with PacedSocket(ours, Pace(silence=0.2, seconds=1, bytes_per_second=1)) as paced, theirs:
        yield paced, theirs


def test_nobody_waits_for_a_reader_unless_that_was_allowed(ends):
    with pytest.raises(TimeoutError, match="Nobody waits"):
        ends[0].sendall(LARGE)


def test_a_reader_who_takes_nothing_is_given_up(ends):
    asked = []
    ends[0].before_sending = lambda: asked.append(True)
    with pytest.raises(TimeoutError, match="takes nothing"):
        ends[0].sendall(LARGE)
    assert asked


def test_a_reader_who_goes_on_gets_everything(ends):
    paced, theirs = ends
    paced.before_sending = lambda: None
    taken = []

    def read() -> None:
        left = len(LARGE)
        while left:
            left -= len(theirs.recv(left))
        taken.append(True)

    reader = threading.Thread(target=read)
    reader.start()
    paced.sendall(LARGE)
    reader.join()
    assert taken
