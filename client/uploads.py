"""Files on their way to the API: what they are called, how large they are, their bytes."""

from __future__ import annotations

import io
import mimetypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

#: Hears of the bytes so far and of all of them.
Sent = Callable[[int, int], None]
_CHUNK = 256 * 1024


def unheard(_done: int, _total: int) -> None:
    """A `Sent` that tells nobody."""


@dataclass(frozen=True)
class File:
    """One file to send. What it is, the API decides by its bytes, not by its name."""

    name: str
    #: A stream has to be one that can seek: it is read from its beginning, perhaps more than once.
    content: bytes | Path | BinaryIO

    @classmethod
    def of(cls, what: File | Path | str) -> File:
        """A file of this machine by its path; a File as it is."""
        if isinstance(what, File):
            return what
        path = Path(what)
        return cls(path.name, path)

    @property
    def media_type(self) -> str:
        """What its name says it is."""
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"

    @property
    def size(self) -> int:
        """Bytes. Raises OSError."""
        if isinstance(self.content, bytes):
            return len(self.content)
        if isinstance(self.content, Path):
            return self.content.stat().st_size
        before = self.content.tell()
        size = self.content.seek(0, os.SEEK_END)
        self.content.seek(before)
        return size

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Its bytes from the first one on. Raises OSError."""
        if isinstance(self.content, bytes):
            yield io.BytesIO(self.content)
        elif isinstance(self.content, Path):
            with self.content.open("rb") as stream:
                yield stream
        else:
            self.content.seek(0)
            yield self.content


def pieces(stream: BinaryIO, total: int, sent: Sent) -> Iterator[bytes]:
    """A stream as it is sent."""
    done = 0
    sent(done, total)
    while chunk := stream.read(_CHUNK):
        yield chunk
        done += len(chunk)
        sent(done, total)


def is_local(value: Any) -> bool:
    """Whether this value of a parameter is a file to be sent; texts are ids and URLs."""
    return isinstance(value, File | Path)
