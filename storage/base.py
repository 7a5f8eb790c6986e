"""The storage interface: where bytes live. Keys are relative, slash-separated names.

Every store raises the standard library's own errors: FileNotFoundError for a key that is not there,
ValueError for a key that is not allowed, and StorageUnavailable (an OSError) when the store cannot be reached.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

#: Lower and upper case letters, digits and `._-` between slashes; no empty, `.` or `..` part.
_KEY = re.compile(r"(?!.*(^|/)\.{1,2}(/|$))[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*\Z")
MAX_KEY_LENGTH = 512


class StorageUnavailable(OSError):
    """The object store cannot be reached."""


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


class Storage(Protocol):
    """One interface, three stores: `storage.local`, `storage.s3`, `storage.memory`."""

    def put(self, key: str, stream: BinaryIO, *, media_type: str = "application/octet-stream") -> ObjectInfo:
        """Write everything `stream` has, atomically: a reader sees the old object or the whole new one.

        When `stream.read` raises, nothing is stored and the error passes.
        """

    def open(self, key: str, start: int = 0, end: int | None = None) -> BinaryIO:
        """A stream of the bytes [start, end); the caller closes it. Raises FileNotFoundError."""

    def stat(self, key: str) -> ObjectInfo:
        """Raises FileNotFoundError."""

    def delete(self, key: str) -> None:
        """Delete one object; deleting what is not there is no error."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object whose key is below the folder `prefix` (whole parts: `jobs/a` is not `jobs/ab`)."""

    def delete_all(self, prefix: str) -> int:
        """Delete everything below the folder `prefix`; returns how many objects there were."""

    def presigned_get(self, key: str, *, expires: float, filename: str | None = None) -> str | None:
        """A URL that reads the object without credentials for `expires` seconds; None where there is none."""

    def presigned_put(self, key: str, *, expires: float, media_type: str) -> str | None:
        """A URL that writes the object by one HTTP PUT; None where there is none."""

    def check(self) -> None:
        """Raise StorageUnavailable unless the store can be written to and read from."""
