"""A job's results as one ZIP, written while it is sent: nothing is held and no file is made.

The standard library's `zipfile` writes to what cannot seek: sizes and sums follow each file, and the
directory at the end has them all. Files are stored as they are: pictures and films are compressed already,
and so the length is known before the first byte.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import BinaryIO
from zipfile import ZIP64_LIMIT, ZIP_STORED, ZipFile, ZipInfo

CHUNK = 128 * 1024
#: The first year a ZIP can say.
_EPOCH = datetime(1980, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """One file of an archive."""

    name: str
    size: int
    open: Callable[[], BinaryIO]


def archive(entries: Iterable[Entry], at: datetime) -> Iterator[bytes]:
    """The ZIP of these, in pieces. `at` is the time that each is said to be of.

    Raises ValueError in the middle of it for a file of another size than was said.
    """
    return _pieces(entries, at, _content)


def length(entries: Sequence[Entry], at: datetime) -> int | None:
    """How long their archive is; None where it is so large that its own numbers take more room."""
    content = sum(entry.size for entry in entries)
    if content > ZIP64_LIMIT // 2:
        return None
    return content + sum(map(len, _pieces(entries, at, lambda _: iter(()))))


def _pieces(
    entries: Iterable[Entry], at: datetime, content: Callable[[Entry], Iterator[bytes]]
) -> Iterator[bytes]:
    sink = _Sink()
    with ZipFile(sink, "w", ZIP_STORED) as made:
        for entry in entries:
            info = ZipInfo(entry.name, max(at, _EPOCH).timetuple()[:6])
            info.external_attr = 0o644 << 16
            info.file_size = entry.size
            with made.open(info, "w") as target:
                for data in content(entry):
                    target.write(data)
                    yield sink.take()
            yield sink.take()
    yield sink.take()


def _content(entry: Entry) -> Iterator[bytes]:
    left = entry.size
    with entry.open() as source:
        while data := source.read(CHUNK):
            left -= len(data)
            yield data
    if left:
        raise ValueError(f"{entry.name} has not the {entry.size} bytes that were recorded")


def distinct(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """These names without folders, and numbered where one comes twice (or differs only in its case)."""
    used = {name.casefold() for name in taken}
    made = []
    for name in names:
        plain = PurePosixPath(name.replace("\\", "/")).name
        path = PurePosixPath(plain if plain.strip(".") else "result")
        candidate, number = path.name, 1
        while candidate.casefold() in used:
            number += 1
            candidate = f"{path.stem}-{number}{path.suffix}"
        used.add(candidate.casefold())
        made.append(candidate)
    return made


class _Sink(io.RawIOBase):
    """What is written, until it is taken. It cannot seek."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]  # typeshed's buffer protocol is private
        self._parts.append(part)
        return len(part)

    def take(self) -> bytes:
        """All that was written since."""
        whole = b"".join(self._parts)
        self._parts.clear()
        return whole
