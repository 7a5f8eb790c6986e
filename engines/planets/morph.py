"""The animation from planet to planet: its frames, and WebP and MP4 files from them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from engines import images
from engines.planets.latents import Planet

Floats = npt.NDArray[np.float32]

_WEBP_QUALITY = 85
#: x264's constant rate factor; 18 is commonly called visually lossless.
_CRF = "18"


def path(planets: list[Planet], frames: int) -> tuple[Floats, Floats]:
    """A closed way through the planets -> latents (F, 128) and shares of worlds (F, 12).

    Each planet is passed slowly (smoothstep). Between latents along a great circle (Shoemake 1985): on the
    straight line they would be shorter than any the net has seen, and the planets between all alike.
    """
    latents, worlds = [], []
    each = frames // len(planets)
    for place, here in enumerate(planets):
        there = planets[(place + 1) % len(planets)]
        for frame in range(each):
            t = frame / each
            t = t * t * (3.0 - 2.0 * t)
            latents.append(_between(here.latent, there.latent, t))
            worlds.append((1.0 - t) * here.worlds + t * there.worlds)
    return np.asarray(latents, dtype=np.float32), np.asarray(worlds, dtype=np.float32)


def _between(a: Floats, b: Floats, t: float) -> Floats:
    """Spherical interpolation, and linear in length."""
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    cosine = np.clip(np.dot(a, b) / max(float(lengths[0] * lengths[1]), 1e-12), -1.0, 1.0)
    angle = float(np.arccos(cosine))
    if angle < 1e-4:
        return ((1.0 - t) * a + t * b).astype(np.float32)
    mixed = (np.sin((1.0 - t) * angle) * a / lengths[0] + np.sin(t * angle) * b / lengths[1]) / np.sin(angle)
    return np.asarray(mixed * ((1.0 - t) * lengths[0] + t * lengths[1]), dtype=np.float32)


def webp(frames: Iterable[Image.Image], fps: int, metadata: Mapping[str, Any]) -> bytes:
    """An animated WebP that repeats for ever; frames are taken one by one."""
    taken = iter(frames)
    first = next(taken)
    out = io.BytesIO()
    first.save(
        out,
        "WEBP",
        save_all=True,
        append_images=taken,
        duration=round(1000 / fps),
        loop=0,
        quality=_WEBP_QUALITY,
        exif=images.exif_record(metadata),
    )
    return out.getvalue()


def mp4(frames: Iterable[Image.Image], fps: int, metadata: Mapping[str, Any], target: Path) -> None:
    """An H.264 film at `target` that every browser plays; an odd side gets one black line more.

    The index comes first in the file, so that it plays while it loads.
    """
    options = {"movflags": "faststart+use_metadata_tags"}
    with av.open(str(target), "w", format="mp4", options=options) as container:
        container.metadata["comment"] = images.record(metadata)
        stream = container.add_stream(
            "libx264", rate=Fraction(fps), options={"crf": _CRF, "preset": "medium"}
        )
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            even = _even(frame)
            if not stream.codec_context.is_open:
                stream.width, stream.height = even.size
            pixels = av.VideoFrame.from_ndarray(np.asarray(even), format="rgb24")
            container.mux(stream.encode(pixels))
        container.mux(stream.encode(None))


def _even(frame: Image.Image) -> Image.Image:
    """yuv420p halves both sides of the colour planes."""
    size = (frame.width + frame.width % 2, frame.height + frame.height % 2)
    if size == frame.size:
        return frame
    padded = Image.new("RGB", size)
    padded.paste(frame)
    return padded
