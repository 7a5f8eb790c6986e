"""Events out of bytes, however these are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.sse import Decoder, NoEvents

TEXT = (
    "retry: 1500\r\n\r\n: hello\n\nevent: state\rdata: a\rdata: b\r\rid: 3\ndata:c\n\n"
    "data: äöü\u2028\u0085\x0b\x0c\x1c line\n\nnothing\n\nretry: soon\n\ndata: never ends"
).encode()
DATA = ["a\nb", "c", "äöü\u2028\u0085\x0b\x0c\x1c line"]


def decoded(*pieces: bytes) -> tuple[list[str | None], int | None]:
    decoder = Decoder()
    found = [message.data for piece in pieces for message in decoder.feed(piece)]
    return found, decoder.retry


def test_events_comments_and_how_long_to_stay_away():
    assert decoded(TEXT) == ([None, *DATA], 1500)


@given(st.lists(st.integers(0, len(TEXT)), max_size=12))
def test_it_does_not_matter_where_the_bytes_are_cut(cuts):
    edges = [0, *sorted(cuts), len(TEXT)]
    pieces = [TEXT[start:end] for start, end in pairwise(edges)]
    assert decoded(*pieces) == ([None, *DATA], 1500)


@given(st.binary(max_size=300))
def test_any_bytes_are_read(data):
    decoded(data)


@pytest.mark.parametrize("piece", [b"x", b"data: y\n"], ids=["a line", "an event"])
def test_what_never_ends_is_no_event(piece):
    with pytest.raises(NoEvents):
        decoded(*[piece * 1024] * 2000)
