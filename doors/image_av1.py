"""How large the frames of an AV1 stream are, which is what the pictures in an AVIF are coded as.

An AVIF says its size beside the stream, and decoders make room for what the stream says: of a kilobyte that
calls itself 64 x 64 they make a gigabyte of 16384 x 16384. So the stream is asked here, as far as its headers
go (AV1 Bitstream & Decoding Process Specification, 5.3 to 5.9).
"""

from __future__ import annotations

from dataclasses import dataclass

from doors.image_facts import HeaderError

_MAX_UNITS = 1000  # of one stream; a still picture has three
_SEQUENCE, _FRAME_HEADER, _FRAME, _REPEATED_HEADER = 1, 3, 6, 7
_KEY, _SWITCH = 0, 3  # kinds of frames
_ANY = 2  # what a sequence may leave to its frames


class _Bits:
    """Numbers of so many bits, one after another. Raises HeaderError past the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def take(self, count: int = 1) -> int:
        self._left -= count
        if self._left < 0:
            raise HeaderError("it ends in the middle of its header")
        return self._value >> self._left & ((1 << count) - 1)


@dataclass(frozen=True)
class _Sequence:
    """What all frames that follow it have in common."""

    width: int
    height: int
    reduced: bool  # for one still picture, whose frame says nothing more
    presentation_bits: int
    frame_id_bits: int
    screen_content: int
    integer_motion: int


def largest_frame(stream: memoryview) -> tuple[int, int]:
    """The largest (width, height) that a frame of the stream may have. Raises HeaderError."""
    known: _Sequence | None = None
    width = height = 0
    position = 0
    for _ in range(_MAX_UNITS):
        if position >= len(stream):
            return width, height
        kind, start, end = _unit(stream, position)
        # No header is longer, and most of a unit is picture.
        head = bytes(stream[start : min(end, start + 256)])
        if kind == _SEQUENCE:
            known = _sequence(_Bits(head))
            width, height = max(width, known.width), max(height, known.height)
        elif kind in (_FRAME_HEADER, _FRAME, _REPEATED_HEADER):
            if known is None:
                raise HeaderError("it has no header")
            if not known.reduced and _has_its_own_size(_Bits(head), known):
                raise HeaderError("its frames are of several sizes")
        position = end
    raise HeaderError("it is made of too many pieces")


def _unit(stream: memoryview, position: int) -> tuple[int, int, int]:
    """(kind, start, end) of the unit there."""
    first = stream[position]
    position += 2 if first & 4 else 1  # its extension
    if not first & 2:
        return first >> 3 & 15, position, len(stream)
    size = 0
    for place in range(8):
        byte = stream[position]
        position += 1
        size |= (byte & 127) << 7 * place
        if not byte & 128:
            break
    if size > len(stream) - position:
        raise HeaderError("it ends in the middle")
    return first >> 3 & 15, position, position + size


def _sequence(bits: _Bits) -> _Sequence:
    bits.take(4)  # profile, whether it is one still picture
    reduced = bool(bits.take())
    presentation = 0
    if reduced:
        bits.take(5)
    else:
        presentation = _timing(bits)
    wide, high = bits.take(4) + 1, bits.take(4) + 1
    width, height = bits.take(wide) + 1, bits.take(high) + 1
    if reduced:
        return _Sequence(width, height, True, 0, 0, _ANY, _ANY)
    frame_id = bits.take(4) + bits.take(3) + 3 if bits.take() else 0
    bits.take(3 + 4)  # tools
    if bits.take():  # order hints
        bits.take(2)
    screen_content = _ANY if bits.take() else bits.take()
    integer_motion = _ANY
    if screen_content:
        integer_motion = _ANY if bits.take() else bits.take()
    return _Sequence(width, height, False, presentation, frame_id, screen_content, integer_motion)


def _timing(bits: _Bits) -> int:
    """Past the timing and the operating points; the bits of a frame's time, 0 where frames have none."""
    presentation = delay = 0
    if bits.take():
        bits.take(64)
        equal = bits.take()
        if equal:
            _skip_variable(bits)
        if bits.take():  # a decoder's model
            delay = bits.take(5) + 1
            bits.take(32 + 5)
            presentation = 0 if equal else bits.take(5) + 1
            if equal:
                bits.take(5)
    shown_late = bits.take()
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take()
        if delay and bits.take():
            bits.take(2 * delay + 1)
        if shown_late and bits.take():
            bits.take(4)
    return presentation


def _skip_variable(bits: _Bits) -> None:
    zeros = 0
    while not bits.take():
        zeros += 1
    if zeros < 32:
        bits.take(zeros)


def _has_its_own_size(bits: _Bits, known: _Sequence) -> bool:
    """Whether a frame, by its header, is of another size than its sequence says."""
    if bits.take():
        return False  # one that is there already is shown
    kind, shown = bits.take(2), bits.take()
    if shown and known.presentation_bits:
        bits.take(known.presentation_bits)
    if not shown:
        bits.take()
    if kind != _SWITCH and not (kind == _KEY and shown):
        bits.take()
    bits.take()
    screen_content = bits.take() if known.screen_content == _ANY else known.screen_content
    if screen_content and known.integer_motion == _ANY:
        bits.take()
    bits.take(known.frame_id_bits)
    return kind == _SWITCH or bool(bits.take())
