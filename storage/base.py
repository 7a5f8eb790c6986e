"""The storage interface: where bytes live. Keys are relative, slash-separated names.

Every store raises the standard library's own errors: FileNotFoundError for a key that is not there,
ValueError for a key that is not allowed, and StorageUnavailable (an OSError) when the store cannot be used.
A key is a file or a folder, never both: with `a/b` stored, do not store `a`.
"""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol, cast

#: Lower and upper case letters, digits and `._-` between slashes; no empty, `.` or `..` part. A part is a
#: file name on a local store, and file systems end at 255 bytes.
_PART = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]{1,255}"
_KEY = re.compile(rf"{_PART}(?:/{_PART})*\Z")
MAX_KEY_LENGTH = 512

#: Bytes copied at a time, wherever a store copies.
CHUNK = 1024 * 1024


class StorageUnavailable(OSError):
    """The object store cannot be reached, or does not do its work (full, read-only, refusing us)."""


@dataclass(frozen=True)
class ObjectInfo:
    """What a store knows of one object."""

    key: str
    size: int  # bytes
    modified: datetime  # UTC, aware


def check_key(key: str) -> str:
    """Return `key`, or raise ValueError when it could leave the store's root or confuse a peer."""
    if len(key) > MAX_KEY_LENGTH or not _KEY.match(key):
        raise ValueError(f"not a storage key: {key!r}")
    return key


def check_prefix(prefix: str) -> str:
    """Return the folder name `prefix`, or raise ValueError; "" is the whole store."""
    return check_key(prefix) if prefix else prefix


def check_range(start: int, end: int | None) -> None:
    """Raise ValueError unless 0 <= start <= end."""
    if start < 0 or (end is not None and end < start):
        raise ValueError(f"not a byte range: [{start}, {end})")


class _Forward(io.RawIOBase):
    """Reads `source` onwards, at most `limit` bytes; closes it when closed."""

    def __init__(self, source: BinaryIO, limit: int | None) -> None:
        self._source = source
        self._left = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's WriteableBuffer is private
        wanted = len(buffer) if self._left is None else min(len(buffer), self._left)
        data = self._source.read(wanted) if wanted else b""
        buffer[: len(data)] = data
        if self._left is not None:
            self._left -= len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._source.close()
        super().close()


def forward_stream(source: BinaryIO, limit: int | None = None) -> BinaryIO:
    """A buffered, read-only, forward-only stream of `source`, of at most `limit` bytes.

    Forward-only in every store, since an object in S3 is: code that seeks fails in the first test and not
    in production.
    """
    return cast(BinaryIO, io.BufferedReader(_Forward(source, limit), 128 * 1024))


class Storage(Protocol):
    """One interface, three stores: `storage.local`, `storage.s3`, `storage.memory`."""

    def put(self, key: str, stream: BinaryIO, *, media_type: str = "application/octet-stream") -> ObjectInfo:
        """Write everything `stream` has, atomically: a reader sees the old object or the whole new one.

        `stream` is read from where it stands and is left open. When `stream.read` raises, nothing is
        stored and the error passes.
        """

    def open(self, key: str, start: int = 0, end: int | None = None) -> BinaryIO:
        """A forward-only stream of the bytes [start, end), cut at the object's end; the caller closes it.

        Raises FileNotFoundError; the stream's `read` raises StorageUnavailable when the store breaks off.
        """

    def stat(self, key: str) -> ObjectInfo:
        """Raises FileNotFoundError."""

    def delete(self, key: str) -> None:
        """Delete one object; deleting what is not there is no error."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object whose key is below the folder `prefix` (whole parts: `jobs/a` is not `jobs/ab`).

        In the order of the keys; "" lists the whole store.
        """

    def delete_all(self, prefix: str) -> int:
        """Delete everything below the folder `prefix`; returns how many objects there were.

        Raises ValueError for "": no caller means the whole store.
        """

    def presigned_get(self, key: str, *, expires: float, filename: str | None = None) -> str | None:
        """A URL that reads the object without credentials for `expires` seconds; None where there is none."""

    def presigned_put(self, key: str, *, expires: float, media_type: str) -> str | None:
        """A URL that writes the object by one HTTP PUT; None where there is none."""

    def check(self) -> None:
        """Raise StorageUnavailable unless the store can be written to and read from."""


def round_trip(storage: Storage) -> None:
    """Write, read and delete a small object: what `check` does in every store. Raises StorageUnavailable."""
    key = f".check/{uuid.uuid4().hex}"  # a name of its own: several processes check at once
    storage.put(key, io.BytesIO(b"atelier"))
    try:
        with storage.open(key) as stream:
            if stream.read() != b"atelier":
                raise StorageUnavailable("the store returned other bytes than were written")
    except FileNotFoundError as error:
        raise StorageUnavailable("the store lost an object just written") from error
    finally:
        storage.delete(key)
