"""One uploaded file: through the door, into the object store, into the database, in that order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from contextlib import nullcontext, suppress
from typing import BinaryIO

from accept.means import Means
from doors import door
from doors.base import FileInfo, FileRefused, NotInspected, Room
from doors.media_types import EXTENSIONS
from jobs.errors import AtelierError, BadFile, Unavailable
from jobs.rows import ArtifactRow
from jobs.store import NewArtifact

#: When who sent a file that could not be looked at is told to come back.
_RETRY_SECONDS = 2


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
) -> FileInfo:
    """What file this is. Raises BadFile, naming `field`, for what is not taken, or is none of `accept`.

    `room` is entered with the bytes that decoding takes; what it raises passes.
    """
    try:
        return door.inspect(stream, accept, room=room)
    except FileRefused as error:
        raise bad_file(field, str(error), error.code) from error
    except NotInspected as error:
        raise Unavailable(
            "This file could not be looked at now; nothing was accepted. Try again in a moment.",
            code="busy",
            retry_after=_RETRY_SECONDS,
        ) from error


def check_accepted(media_type: str, accept: Collection[str], field: str) -> None:
    """Raises BadFile, naming `field`, for a stored file that is none of `accept`."""
    try:
        door.check_accepted(media_type, accept)
    except FileRefused as error:
        raise bad_file(field, str(error), error.code) from error


def bad_file(field: str, message: str, code: str) -> BadFile:
    """The error for one file field."""
    return BadFile(message, code=code, errors=[{"field": field, "message": message, "code": code}])


def store_file(
    means: Means, owner_id: str, stream: BinaryIO, name: str, info: FileInfo, sha256: str
) -> ArtifactRow:
    """Keep an inspected file. Raises Unavailable and StorageUnavailable; then there is no file."""
    file_id, artifact = _put(means, stream, name, info, sha256)
    return means.files.add(file_id, owner_id, artifact)


def store_file_once(
    means: Means, owner_id: str, stream: BinaryIO, name: str, info: FileInfo, sha256: str, key: str
) -> tuple[ArtifactRow, bool]:
    """`store_file`, under an Idempotency-Key: whether it made the file. Raises IdempotencyConflict too."""
    file_id, artifact = _put(means, stream, name, info, sha256)
    made = False
    try:
        row, made = means.files.add_once(file_id, owner_id, artifact, key)
    finally:
        if not made:  # another request with this key was faster
            with suppress(AtelierError):
                means.files.give_up(file_id)
    return row, made


def _put(means: Means, stream: BinaryIO, name: str, info: FileInfo, sha256: str) -> tuple[str, NewArtifact]:
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
        seconds=info.seconds,
        meta={} if info.declared_seconds is None else {"declared_seconds": info.declared_seconds},
    )


def display_name(name: str, media_type: str) -> str:
    """A client's file name without folders and control characters, at most 120 characters."""
    last = re.split(r"[/\\]", name)[-1]
    clean = "".join(c for c in last if c.isprintable()).strip()[-120:]
    return clean if clean.strip(".") else _plain_name(media_type) + EXTENSIONS[media_type]


def storage_name(name: str, media_type: str) -> str:
    """The last part of a storage key: plain ASCII, with the extension of what the bytes are."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", name.rpartition(".")[0] or name).strip("_")[:80]
    return (stem or _plain_name(media_type)) + EXTENSIONS[media_type]


def _plain_name(media_type: str) -> str:
    """What a file without a name of its own is called: "image"."""
    return media_type.partition("/")[0]
