"""AV1 streams: the size of their frames, as far as headers go, and what is refused."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from doors.image_av1 import largest_frame
from doors.image_facts import HeaderError
from tests.doors.made_boxes import Writer, frame, sequence
from tests.examples import examples


@pytest.mark.parametrize("timed", [False, True])
def test_a_full_header_says_the_size(timed: bool) -> None:
    stream = b"\x12\0" + sequence(4000, 3000, timed=timed) + frame(own_size=False, timed=timed)
    assert largest_frame(memoryview(stream)) == (4000, 3000)


@pytest.mark.parametrize("timed", [False, True])
def test_a_frame_of_another_size_is_refused(timed: bool) -> None:
    stream = sequence(64, 64, timed=timed) + frame(own_size=True, timed=timed)
    with pytest.raises(HeaderError, match="several sizes"):
        largest_frame(memoryview(stream))


def test_the_largest_of_several_counts() -> None:
    stream = sequence(64, 64) + frame(own_size=False) + sequence(9000, 20) + frame(own_size=False)
    assert largest_frame(memoryview(stream)) == (9000, 64)


def test_the_frames_of_an_animation_are_as_large_as_it() -> None:
    """Which Pillow writes with full headers, and frames that build upon others."""
    picture, out = Image.linear_gradient("L").resize((70, 50)), io.BytesIO()
    picture.save(out, "AVIF", save_all=True, append_images=[picture.rotate(90)] * 3)
    data = out.getvalue()
    stream = data[data.index(b"\x12\0\x0a") :]
    assert not stream[4] & 8  # its header is no reduced one
    assert largest_frame(memoryview(stream)) == (70, 50)


@pytest.mark.parametrize(
    "stream", [frame(own_size=False), b"\x12", b"\x0a\x7f\0", b"\x12\0" * 2000, b"\x0a\x01\0"]
)
def test_what_is_no_stream_is_refused(stream: bytes) -> None:
    with pytest.raises((HeaderError, IndexError)):
        largest_frame(memoryview(stream))


def test_the_one_still_picture_of_a_reduced_header_says_nothing_of_its_own() -> None:
    # given: profile, still, reduced, level; then the widths of two numbers, and the numbers
    reduced = Writer((3, 0), (1, 1), (1, 1), (5, 0), (4, 8), (4, 7), (9, 299), (8, 199), (32, 0)).unit(1)
    # when the frame's bits would, behind a full header, say a size of its own
    stream = reduced + frame(own_size=True)
    # then
    assert largest_frame(memoryview(stream)) == (300, 200)


def test_a_switch_frame_may_have_any_size_and_one_that_is_shown_again_has_none() -> None:
    again = Writer((1, 1), (31, 2**31 - 1)).unit(3)
    assert largest_frame(memoryview(sequence(64, 64) + again)) == (64, 64)
    switch = Writer((1, 0), (2, 3), (1, 1), (32, 0)).unit(3)
    with pytest.raises(HeaderError, match="several sizes"):
        largest_frame(memoryview(sequence(64, 64) + switch))


def test_a_unit_may_have_an_extension_or_reach_to_the_end() -> None:
    head = sequence(640, 480)
    extended = bytes([head[0] | 4, 0]) + head[1:]
    endless = bytes([head[0] & ~2]) + head[2:]
    assert largest_frame(memoryview(extended)) == (640, 480)
    assert largest_frame(memoryview(endless)) == (640, 480)


def test_a_size_in_several_bytes_ends_where_it_says() -> None:
    """LEB128: seven bits a byte, the lowest first."""
    filler = bytes([15 << 3 | 2, 0x80 | 300 % 128, 300 // 128]) + bytes(300)
    assert largest_frame(memoryview(filler + sequence(32, 16))) == (32, 16)
    with pytest.raises(HeaderError, match="ends in the middle"):
        largest_frame(memoryview(filler[:-1]))


@settings(max_examples=examples(300), deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_stream_or_refused(data: bytes) -> None:
    try:
        width, height = largest_frame(memoryview(data))
    except (HeaderError, IndexError):  # the second becomes the first in read_header
        return
    assert 0 <= width <= 2**16
    assert 0 <= height <= 2**16
