"""The child of `doors.audio`: counts what is in one file, its standard input, and says so in JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, BinaryIO, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from doors.audio_facts import Answer, Facts
from doors.child import STARTED
from doors.confined import confine

#: Readers of sound that are meant; FFmpeg has some 180 of it, and others of pictures, which are never used.
_CODECS = (
    "aac", "ac3", "adpcm_ima_wav", "adpcm_ms", "alac", "eac3", "flac", "mp2", "mp2float", "mp3", "mp3float",
    "opus", "libopus", "pcm_alaw", "pcm_f32be", "pcm_f32le", "pcm_f64be", "pcm_f64le", "pcm_mulaw",
    "pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le", "pcm_s32be", "pcm_s32le", "pcm_s8", "pcm_u8",
    "vorbis", "wmapro", "wmav1", "wmav2",
)  # fmt: skip
#: Bytes from the file at once.
_BUFFER = 256 * 1024


def main(request: dict[str, Any], file: BinaryIO) -> Answer:
    """What there is to say of the file."""
    options = {
        "format_whitelist": request["demuxer"],
        "codec_whitelist": ",".join(_CODECS),
        "protocol_whitelist": "none",  # a file may name others, and none of them is opened
    }
    try:
        with av.open(
            file,
            "r",
            format=request["demuxer"],
            options=options,
            metadata_errors="replace",
            buffer_size=_BUFFER,
        ) as container:
            return _look(container, request)
    except MemoryError:
        return Answer(memory=True)
    except FFmpegError as error:
        return Answer(broken=error.strerror or "invalid")


def _look(container: InputContainer, request: dict[str, Any]) -> Answer:
    stream = _sound(container)
    if stream is None:
        return Answer(no_sound=True)
    film = _film(container)
    context = stream.codec_context
    facts = Facts(
        codec=context.name,
        known=context.name in _CODECS,
        rate=stream.rate or 0,
        channels=context.layout.nb_channels,
        declared=_declared(container, stream) if request["declares"] else None,
        width=film.width if film else None,
        height=film.height if film else None,
    )
    most = request["most_seconds"]
    if facts.known and facts.rate > 0 and (facts.declared is None or facts.declared <= most):
        _count(container, stream, facts, most, request["try_seconds"])
    return Answer(facts)


def _count(container: InputContainer, stream: AudioStream, facts: Facts, most: float, trial: float) -> None:
    """Go through all packets up to `most` seconds, and decode the first `trial` of them."""
    stream.codec_context.thread_count = 1
    for packet in _packets(container, stream, facts):
        if facts.counted < trial:
            facts.tried += _seconds(packet)
            facts.decoded += _decoded(packet, facts)
        facts.counted += _seconds(packet)
        if facts.counted > most:
            return


def _packets(container: InputContainer, stream: AudioStream, facts: Facts) -> Iterator[Packet[AudioStream]]:
    """Those with something in them, until the file ends or breaks."""
    try:
        for packet in container.demux(stream):
            if packet.size:
                yield packet
    except (EOFError, FFmpegError) as error:
        if isinstance(error, MemoryError):
            raise
        facts.faults += 1


def _decoded(packet: Packet[AudioStream], facts: Facts) -> float:
    """Seconds of sound that came out of it."""
    try:
        return sum(frame.samples / frame.sample_rate for frame in packet.decode() if frame.sample_rate)
    except FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        facts.faults += 1
        return 0.0


def _seconds(packet: Packet[AudioStream]) -> float:
    return float((packet.duration or 0) * packet.time_base) if packet.time_base else 0.0


def _declared(container: InputContainer, stream: AudioStream) -> float | None:
    """How long the stream, or else the whole file, says it is."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _sound(container: InputContainer) -> AudioStream | None:
    """The stream that is meant: the default one, or else the first."""
    found = container.streams.audio
    chosen = [stream for stream in found if stream.disposition & Disposition.default]
    return next(iter(chosen or found), None)


def _film(container: InputContainer) -> VideoStream | None:
    """Pictures that move; the cover of a song does not."""
    return next((s for s in container.streams.video if not s.disposition & Disposition.attached_pic), None)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    source = cast(BinaryIO, sys.stdin.buffer)
    confine(asked["memory_bytes"], asked["cpu_seconds"])
    sys.stdout.write(STARTED.decode())
    sys.stdout.flush()
    print(json.dumps(asdict(main(asked, source))), flush=True)  # noqa: T201 - this is how it answers
