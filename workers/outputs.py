"""An engine's output becomes a stored object and what the store must know of it."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from typing import Any, BinaryIO

from PIL import Image

from doors.image_types import FORMATS
from engines.base import EngineError, Output
from jobs.store import NewArtifact
from storage.base import Storage

_TEXTS = ("text/", "application/json")
#: A text or JSON of so many bytes is shown with its job.
_SHOWN_BYTES = 4096


def safe_name(name: str) -> str:
    """A name that stays in its folder."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).strip(".")[-200:] or "output"


def require_json(meta: Mapping[str, Any], name: str) -> None:
    """Raises EngineError when what the engine says of this output is not JSON."""
    try:
        json.dumps(dict(meta), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise EngineError(f"What the engine says of {name} is not JSON: {error}") from error


def store_output(storage: Storage, output: Output, name: str, key: str) -> NewArtifact:
    """Store it under `key`. Raises StorageUnavailable."""
    with _open(output) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        width, height = _picture_size(stream) if output.media_type.startswith("image/") else (None, None)
        text = _text(stream) if output.media_type.startswith(_TEXTS) else None
        stream.seek(0)
        info = storage.put(key, stream, media_type=output.media_type)
    return NewArtifact(
        name=name,
        key=key,
        media_type=output.media_type,
        size=info.size,
        sha256=digest,
        width=width,
        height=height,
        seconds=output.seconds,
        text=text,
        meta=output.meta,
    )


def _open(output: Output) -> io.BytesIO | io.BufferedReader:
    return io.BytesIO(output.data) if isinstance(output.data, bytes) else output.data.open("rb")


def _picture_size(stream: BinaryIO) -> tuple[int, int]:
    stream.seek(0)
    with Image.open(stream, formats=tuple(FORMATS)) as picture:  # reads the header only
        return picture.size


def _text(stream: BinaryIO) -> str | None:
    """What a small text says; None for a larger one, and for one that the database could not keep."""
    stream.seek(0)
    data = stream.read(_SHOWN_BYTES + 1)
    if len(data) > _SHOWN_BYTES or b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
