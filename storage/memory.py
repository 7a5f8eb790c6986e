"""Objects in this process's memory: the store of fast tests."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from storage.base import (
    CHUNK,
    ObjectInfo,
    check_key,
    check_prefix,
    check_range,
    forward_stream,
    round_trip,
)


class MemoryStorage:
    """A `Storage` that ends with the process."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, ObjectInfo]] = {}
        self._lock = threading.Lock()

    def put(self, key: str, stream: BinaryIO, *, media_type: str = "application/octet-stream") -> ObjectInfo:  # noqa: ARG002  no HTTP here to answer with a type
        check_key(key)
        data = b"".join(iter(lambda: stream.read(CHUNK), b""))
        info = ObjectInfo(key, len(data), datetime.now(UTC))
        with self._lock:
            # What a file system cannot hold is refused here too, so that tests find it.
            for other in self._objects:
                if other.startswith(key + "/") or key.startswith(other + "/"):
                    raise ValueError(f"{key!r} and {other!r} cannot both be stored")
            self._objects[key] = (data, info)
        return info

    def open(self, key: str, start: int = 0, end: int | None = None) -> BinaryIO:
        check_range(start, end)
        return forward_stream(io.BytesIO(self._find(key)[0][start:end]))

    def stat(self, key: str) -> ObjectInfo:
        return self._find(key)[1]

    def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(check_key(key), None)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        below = check_prefix(prefix) and prefix + "/"
        with self._lock:
            found = [info for key, (_, info) in sorted(self._objects.items()) if key.startswith(below)]
        return iter(found)

    def delete_all(self, prefix: str) -> int:
        check_key(prefix)
        with self._lock:
            found = [key for key in self._objects if key.startswith(prefix + "/")]
            for key in found:
                del self._objects[key]
        return len(found)

    def presigned_get(self, key: str, *, expires: float, filename: str | None = None) -> None:  # noqa: ARG002  the interface's names
        check_key(key)

    def presigned_put(self, key: str, *, expires: float, media_type: str) -> None:  # noqa: ARG002  the interface's names
        check_key(key)

    def check(self) -> None:
        round_trip(self)

    def _find(self, key: str) -> tuple[bytes, ObjectInfo]:
        check_key(key)
        with self._lock:
            try:
                return self._objects[key]
            except KeyError:
                raise FileNotFoundError(key) from None
