"""Sound files of every kind, made on the spot: a tone, with pictures that move where there is a film."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np

#: Name: (FFmpeg's writer, coding, samples a second, coding of the pictures).
KINDS = {
    "mp3": ("mp3", "libmp3lame", 44_100, ""),
    "mp2": ("mp2", "mp2", 44_100, ""),
    "m4a": ("ipod", "aac", 44_100, ""),
    "alac": ("ipod", "alac", 44_100, ""),
    "aac": ("adts", "aac", 44_100, ""),
    "ogg": ("ogg", "libopus", 48_000, ""),
    "flac": ("flac", "flac", 44_100, ""),
    "wav": ("wav", "pcm_s16le", 44_100, ""),
    "float": ("wav", "pcm_f32le", 44_100, ""),
    "aiff": ("aiff", "pcm_s16be", 44_100, ""),
    "webm": ("webm", "libopus", 48_000, ""),
    "mka": ("matroska", "aac", 44_100, ""),
    "wma": ("asf", "wmav2", 44_100, ""),
    "ac3": ("ac3", "ac3", 44_100, ""),
    "mp4": ("mp4", "aac", 44_100, "libx264"),
    "mov": ("mov", "aac", 44_100, "libx264"),
    "webm film": ("webm", "libopus", 48_000, "libvpx"),
    "mkv": ("matroska", "aac", 44_100, "libx264"),
}
FILM_SIZE = (64, 48)


@cache
def sound(kind: str = "mp3", seconds: float = 2.0, layout: str = "stereo", **options: str) -> bytes:
    """A file of this kind; `options` are its writer's."""
    writer, coding, rate, pictures = KINDS[kind]
    return _written(writer, coding, rate, pictures, seconds, layout, options)


@cache
def silent_film(seconds: float = 1.0) -> bytes:
    """Pictures that move, and nothing else."""
    return _written("mp4", "", 0, "libx264", seconds, "", {})


def endless() -> bytes:
    """A FLAC that says it is weeks long."""
    made = bytearray(sound("flac"))
    made[21] |= 15  # the highest bits of how many samples it has (its first block, RFC 9639, 8.2)
    return bytes(made)


def at_rate(rate: int, layout: str = "mono", seconds: float = 1.0) -> bytes:
    """A WAV of so many samples a second."""
    return _written("wav", "pcm_s16le", rate, "", seconds, layout, {})


def _written(
    writer: str, coding: str, rate: int, pictures: str, seconds: float, layout: str, options: dict[str, str]
) -> bytes:
    # On disk: an index that comes first is written by who opens the file again.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made"
        _write(path, writer, coding, rate, pictures, seconds, layout, options)
        return path.read_bytes()


def _write(
    path: Path, writer: str, coding: str, rate: int, pictures: str, seconds: float, layout: str,
    options: dict[str, str],
) -> None:  # fmt: skip
    with av.open(str(path), "w", format=writer, options=options) as container:
        audio = video = None
        if coding:
            audio = container.add_stream(coding, rate=rate)
            audio.layout = layout
            audio.codec_context.bit_rate = 128_000
        if pictures:
            video = container.add_stream(pictures, rate=24)
            video.width, video.height = FILM_SIZE
            video.pix_fmt = "yuv420p"
        if video is not None:
            for number in range(round(24 * seconds)):
                pixels = np.full((FILM_SIZE[1], FILM_SIZE[0], 3), number % 255, np.uint8)
                container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(video.encode(None))
        if audio is not None:
            _tone(container, audio, rate, seconds, layout)


def _tone(container, audio, rate: int, seconds: float, layout: str) -> None:
    count = round(rate * seconds)
    wave = (0.3 * np.sin(2 * np.pi * 440 * np.arange(count) / rate)).astype(np.float32)
    channels = audio.codec_context.layout.nb_channels
    if not audio.codec_context.is_open:
        audio.codec_context.open()
    size = audio.codec_context.frame_size or 1024
    resampler = av.AudioResampler(format=audio.codec_context.format, layout=layout, rate=rate)
    for start in range(0, count, size):
        part = np.repeat(wave[None, start : start + size], channels, 0)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        for one in resampler.resample(frame):
            container.mux(audio.encode(one))
    for one in resampler.resample(None):
        container.mux(audio.encode(one))
    container.mux(audio.encode(None))
