"""One uploaded image: through the door, into the object store, into the database, in that order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from contextlib import nullcontext, suppress
from typing import Any, BinaryIO

from sqlalchemy import Row

from accept.means import Means
from jobs.errors import AtelierError, BadFile
from jobs.store import NewArtifact
from storage.image_types import EXTENSIONS
from storage.images import ImageInfo, ImageRefused, Room, inspect_image


def sha256_of(stream: BinaryIO) -> str:
    """The hash of a stream that can seek, hexadecimal; leaves it at its beginning."""
    stream.seek(0)
    made = hashlib.sha256()
    while chunk := stream.read(1024 * 1024):
        made.update(chunk)
    stream.seek(0)
    return made.hexdigest()


def inspect(
    stream: BinaryIO,
    accept: Collection[str] | None = None,
    *,
    field: str = "file",
    room: Room = nullcontext,
) -> ImageInfo:
    """What image this is. Raises BadFile, naming `field`, for what is none or none of `accept`.

    `room` is entered with the bytes that decoding takes; what it raises passes.
    """
    try:
        info = inspect_image(stream, room=room)
    except ImageRefused as error:
        raise bad_file(field, str(error), error.code) from error
    if accept is not None and info.media_type not in accept:
        raise bad_file(
            field, f"This field takes {', '.join(accept)}, not {info.media_type}.", "wrong_media_type"
        )
    return info


def bad_file(field: str, message: str, code: str) -> BadFile:
    """The error for one file field."""
    return BadFile(message, code=code, errors=[{"field": field, "message": message, "code": code}])


def store_image(
    means: Means, owner_id: str, stream: BinaryIO, name: str, info: ImageInfo, sha256: str
) -> Row[Any]:
    """Keep an inspected image. Raises Unavailable and StorageUnavailable; then there is no file."""
    file_id, artifact = _put(means, stream, name, info, sha256)
    return means.files.add(file_id, owner_id, artifact)


def store_image_once(
    means: Means, owner_id: str, stream: BinaryIO, name: str, info: ImageInfo, sha256: str, key: str
) -> tuple[Row[Any], bool]:
    """`store_image`, under an Idempotency-Key: whether it made the file. Raises IdempotencyConflict too."""
    file_id, artifact = _put(means, stream, name, info, sha256)
    made = False
    try:
        row, made = means.files.add_once(file_id, owner_id, artifact, key)
    finally:
        if not made:  # another request with this key was faster
            with suppress(AtelierError):
                means.files.give_up(file_id)
    return row, made


def _put(means: Means, stream: BinaryIO, name: str, info: ImageInfo, sha256: str) -> tuple[str, NewArtifact]:
    """Store the bytes: a reserved id, and what there is to record of it."""
    file_id = means.files.reserve()
    shown = display_name(name, info.media_type)
    stream.seek(0)
    kept = means.storage.put(
        f"files/{file_id}/{storage_name(shown, info.media_type)}", stream, media_type=info.media_type
    )
    return file_id, NewArtifact(
        name=shown,
        key=kept.key,
        media_type=info.media_type,
        size=kept.size,
        sha256=sha256,
        width=info.width,
        height=info.height,
    )


def display_name(name: str, media_type: str) -> str:
    """A client's file name without folders and control characters, at most 120 characters."""
    last = re.split(r"[/\\]", name)[-1]
    clean = "".join(c for c in last if c.isprintable()).strip()[-120:]
    return clean if clean.strip(".") else "image" + EXTENSIONS[media_type]


def storage_name(name: str, media_type: str) -> str:
    """The last part of a storage key: plain ASCII, with the extension of what the bytes are."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", name.rpartition(".")[0] or name).strip("_")[:80]
    return (stem or "image") + EXTENSIONS[media_type]
