"""H.264 in MP4: its speed, its checkpoint, and a thread that breaks down."""

from __future__ import annotations

import io
import itertools
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from engines.films import mp4
from engines.films.base import Segments, segment_length
from engines.films.mp4 import Mp4
from tests.engines.films.filming import RATES, colours, made


@pytest.mark.parametrize("size", [(64, 64), (65, 65), (16, 511)])
@pytest.mark.parametrize("rate", RATES)
def test_mp4_plays_every_frame_at_the_right_speed(tmp_path, size, rate):
    # given: more than two segments
    count = 2 * segment_length(rate) + 7
    # when
    data = made("mp4", rate, colours(count, size), tmp_path / "film.mp4")
    # then
    with av.open(io.BytesIO(data)) as film:
        stream = film.streams.video[0]
        frames = list(film.decode(stream))
        assert stream.average_rate == rate
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert '"seed": 5' in film.metadata["comment"]
        assert [round(frame.pts * stream.time_base * rate) for frame in frames] == list(range(count))
        assert len({b.pts - a.pts for a, b in itertools.pairwise(frames)}) == 1
    last = frames[-1].to_ndarray(format="rgb24")
    assert last.shape[:2] == (size[1] + size[1] % 2, size[0] + size[0] % 2)
    assert abs(int(last[10, 10, 0]) - (count - 1) * 255 // count) < 12
    assert data.index(b"moov") < data.index(b"mdat")  # plays while it loads


def test_an_mp4_s_checkpoint_holds_what_was_encoded(tmp_path):
    frames, rate = colours(50, (64, 64)), Fraction(12)
    with Mp4(rate) as film:
        for frame in frames:
            film.add(frame)
        film.finish(tmp_path / "film.mp4", {})
        state = film.state()
    with closing(Segments(state)) as whole, closing(Segments()) as part:
        for segment in list(whole)[:2]:
            part.add(segment)
        state = part.state()
    with Mp4(rate, state) as again:
        assert again.done == 48


def test_frames_have_one_size():
    with Mp4(Fraction(12)) as film:
        film.add(Image.new("RGB", (64, 64)))
        with pytest.raises(ValueError, match="a frame of"):
            film.add(Image.new("RGB", (32, 32)))


def test_what_the_encoder_raises_reaches_who_adds_frames(monkeypatch):
    monkeypatch.setitem(mp4._OPTIONS, "preset", "no such preset")
    with Mp4(Fraction(12)) as film:
        with pytest.raises(av.FFmpegError):
            add_for_ever(film)
        with pytest.raises(av.FFmpegError):
            film.finish(Path("never written"), {})


def add_for_ever(film: Mp4) -> None:
    while True:
        film.add(Image.new("RGB", (64, 64)))


def test_an_encoder_that_breaks_down_does_not_leave_its_film_waiting(monkeypatch):
    monkeypatch.setattr("threading.excepthook", lambda _: None)  # the default one prints what broke

    def broken(_):
        raise MemoryError

    monkeypatch.setattr(mp4, "_even", broken)
    with Mp4(Fraction(12)) as film, pytest.raises(RuntimeError, match="broke down"):
        add_for_ever(film)


def test_no_frame_no_film():
    with Mp4(Fraction(12)) as film:
        assert (film.done, film.size) == (0, 0)
        with closing(Segments(film.state())) as kept:
            assert len(kept) == 0


@pytest.mark.parametrize(("mode", "size"), [("RGB", (4, 2)), ("RGBA", (3, 2)), ("L", (4, 1)), ("P", (5, 5))])
def test_an_odd_side_gets_one_black_line_more(mode, size):
    even = mp4._even(Image.new("RGB", size, (255, 255, 255)).convert(mode))
    assert even.mode == "RGB"
    assert even.size == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert even.getpixel((size[0] - 1, size[1] - 1)) == (255, 255, 255)
    if even.size != size:
        assert even.getpixel((even.width - 1, even.height - 1)) == (0, 0, 0)
