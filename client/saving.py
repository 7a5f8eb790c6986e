"""A file on its way from the API: counted, hashed, and there in one step or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from client.errors import Damaged, Json, Oversized

#: A file as the API shows it, or its URL alone.
Source = str | Mapping[str, Any]

CHUNK = 64 * 1024
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]")


def url_of(source: Source) -> str:
    """Where it is read."""
    return source if isinstance(source, str) else str(source["url"])


class Received:
    """What has come of a file. With `most` it takes no more bytes than those."""

    def __init__(self, source: Source, into: BinaryIO, most: int | None = None) -> None:
        self._said: Mapping[str, Any] = {} if isinstance(source, str) else source
        self._into = into
        self._most = most
        self._start = into.tell()
        self._size = 0
        self._hash = hashlib.sha256()

    def begin(self) -> None:
        """From the first byte, perhaps once more."""
        self._into.seek(self._start)
        self._into.truncate()
        self._size, self._hash = 0, hashlib.sha256()

    def take(self, piece: bytes) -> None:
        """Some bytes. Raises Oversized and OSError."""
        self._size += len(piece)
        if self._most is not None and self._size > self._most:
            raise Oversized(f"it has more than {self._most:,} bytes")
        self._hash.update(piece)
        self._into.write(piece)

    def end(self) -> None:
        """All of it is there; back to its beginning. Raises Damaged where it is not what was said."""
        size, sha256 = self._said.get("size"), self._said.get("sha256")
        if size is not None and size != self._size:
            raise Damaged(f"{self._size:,} bytes came, and not {size:,}")
        if sha256 is not None and sha256 != self._hash.hexdigest():
            raise Damaged(f"its SHA-256 is {self._hash.hexdigest()}, and not {sha256}")
        self._into.seek(self._start)


@contextmanager
def target(path: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes are at `path` in one step, if nothing is raised. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, incoming = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w+b") as stream:
            yield stream
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(incoming, 0o666 & ~umask)  # mkstemp's 0600 is for secrets; this is a picture
        os.replace(incoming, path)
    finally:
        Path(incoming).unlink(missing_ok=True)


def targets(job: Json, folder: Path) -> list[tuple[Json, Path]]:
    """Each result of a job and where it goes: its own name, made safe, with a number where it is taken."""
    found: list[tuple[Json, Path]] = []
    taken: set[str] = set()
    for artifact in job["artifacts"]:
        name = _UNSAFE.sub("_", str(artifact.get("name", ""))).strip(". ") or "result"
        stem, number = Path(name), 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem.stem}-{number}{stem.suffix}"
        taken.add(name.casefold())
        found.append((artifact, folder / name))
    return found
