"""H.264 in MP4, as every browser plays it, encoded in a thread beside whoever makes the frames."""

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Self

import av
import numpy as np
from PIL import Image

from engines import images
from engines.films.base import Segments, segment_length

#: Constant rate factor 18 is commonly called visually lossless. The same frames are to give the same film: so
#: the count of threads, on which x264's result depends, is fixed, and its macroblock tree is off, with which
#: one film in 150 differed from its like.
_OPTIONS = {"crf": "18", "preset": "veryfast", "threads": "4", "x264-params": "no-mbtree=1"}
#: Frames that may wait for the encoder.
_WAITING = 8


class Mp4:
    """A film as MP4; an odd side gets one black line more."""

    suffix: ClassVar[str] = "mp4"
    media_type: ClassVar[str] = "video/mp4"

    def __init__(self, rate: Fraction, state: bytes | None = None) -> None:
        """See `engines.films.base.Film`."""
        self._rate = rate
        self._length = segment_length(rate)
        #: Each a small MP4 file of its own.
        self._segments = Segments(state or b"")
        self._done = len(self._segments) * self._length
        self._size: tuple[int, int] | None = None
        self._frames: queue.Queue[Image.Image | None] = queue.Queue(_WAITING)
        self._failure: Exception | None = None
        #: Whether the thread came to the last frame.
        self._encoded = False
        self._thread = threading.Thread(target=self._encode, name="mp4", daemon=True)
        self._thread.start()

    @property
    def done(self) -> int:
        """Frames in finished segments."""
        return self._done

    @property
    def size(self) -> int:
        """Bytes of the finished segments."""
        return self._segments.size

    def add(self, frame: Image.Image) -> None:
        """Take the next frame. Raises ValueError for one of another size, and what the encoder raised."""
        self._size = self._size or frame.size
        if frame.size != self._size:
            raise ValueError(f"a frame of {frame.size} in a film of {self._size}")
        while self._thread.is_alive():
            try:
                self._frames.put(frame, timeout=0.1)
                return
            except queue.Full:
                continue
        self._ended_well()

    def state(self) -> bytes:
        """The finished segments."""
        return self._segments.state()

    def finish(self, target: Path, metadata: Mapping[str, Any]) -> None:
        """Join the segments. The index comes first in the file, so that it plays while it loads."""
        self._stop()
        self._ended_well()
        options = {"movflags": "faststart+use_metadata_tags"}
        with av.open(str(target), "w", format="mp4", options=options) as film:
            film.metadata["comment"] = images.record(metadata)
            stream: av.VideoStream | None = None
            for number, segment in enumerate(self._segments):
                with av.open(io.BytesIO(segment), "r") as part:
                    source = part.streams.video[0]
                    stream = stream or film.add_stream_from_template(source)
                    for packet in part.demux(source):
                        if packet.dts is None or packet.pts is None or packet.time_base is None:
                            continue  # the empty one at the end
                        offset = round(number * self._length / self._rate / packet.time_base)
                        packet.dts += offset
                        packet.pts += offset
                        packet.stream = stream
                        film.mux(packet)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._segments.close()

    def _ended_well(self) -> None:
        """Raises what the encoder raised, or RuntimeError where its thread broke down in another way."""
        if self._failure is not None:
            raise self._failure
        if not self._encoded:
            raise RuntimeError("the encoder broke down; its thread has said how")

    def _stop(self) -> None:
        while self._thread.is_alive():
            try:
                self._frames.put(None, timeout=0.1)
            except queue.Full:
                continue
            self._thread.join()

    def _encode(self) -> None:
        """The thread: whole segments, until there are no more frames."""
        try:
            frame = self._frames.get()
            while frame is not None:
                frame = self._segment(frame)
            self._encoded = True
        except (OSError, ValueError, av.FFmpegError) as error:
            self._failure = error

    def _segment(self, frame: Image.Image | None) -> Image.Image | None:
        """Encode one segment from `frame` on; returns the first frame of the next."""
        out = io.BytesIO()
        count = 0
        with av.open(out, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=self._rate, options=dict(_OPTIONS))
            stream.pix_fmt = "yuv420p"
            while frame is not None and count < self._length:
                even = _even(frame)
                if count == 0:
                    stream.width, stream.height = even.size
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(even), format="rgb24")))
                count += 1
                frame = self._frames.get()
            container.mux(stream.encode(None))
        self._segments.add(out.getvalue())
        if count == self._length:
            self._done += count
        return frame


def _even(frame: Image.Image) -> Image.Image:
    """RGB with even sides: yuv420p halves both sides of the colour planes."""
    rgb = frame.convert("RGB")
    size = (rgb.width + rgb.width % 2, rgb.height + rgb.height % 2)
    if size == rgb.size:
        return rgb
    padded = Image.new("RGB", size)
    padded.paste(rgb)
    return padded
