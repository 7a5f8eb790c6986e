"""A folder or a ZIP of files, as names and bytes. A ZIP is read where it lies: nothing is ever unpacked.

One that somebody made to do harm is refused: with more in it than it looks, with names that lead elsewhere,
with archives inside, locked.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Protocol

#: No picture that a network is trained on, and no list of labels, is larger.
MAX_FILE = 256 * 2**20
#: Files in an archive at most: larger datasets are none for one machine.
MAX_FILES = 4_000_000
#: Pictures are compressed already. What shrinks more than this, and is not small, was made for it.
_MAX_RATIO, _SMALL = 200, 2**20
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")


#: What Python's reader raises for what is no ZIP, or a damaged one. ValueError: places before the beginning
#: or past 2^63, names that are no text; OverflowError: sizes past what the system counts.
_UNREADABLE = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    struct.error,
    ValueError,
    NotImplementedError,
    OverflowError,
)


class BadDataset(ValueError):
    """These are no pictures to train on."""


class Archive(Protocol):
    """Where files come from."""

    #: Relative, with slashes, sorted.
    names: tuple[str, ...]

    def read(self, name: str) -> bytes:
        """A file's bytes. Raises BadDataset when it cannot be read."""

    def close(self) -> None:
        """Let go of the file."""


def open_archive(path: Path) -> Archive:
    """A folder, or else a ZIP. Raises BadDataset when it is neither, or not fit to be read."""
    return Folder(path) if path.is_dir() else Zip(path)


class Folder:
    """Everything below a folder but what is hidden."""

    def __init__(self, path: Path) -> None:
        self._path = path
        found = (file.relative_to(path) for file in path.rglob("*") if file.is_file())
        self.names = tuple(
            sorted(file.as_posix() for file in found if not any(part[0] == "." for part in file.parts))
        )

    def read(self, name: str) -> bytes:
        """See `Archive`."""
        path = self._path / name
        try:
            if path.stat().st_size > MAX_FILE:
                raise BadDataset(f"{name} is larger than {MAX_FILE >> 20} MiB")
            return path.read_bytes()
        except OSError as error:
            raise BadDataset(f"{name} cannot be read: {error}") from error

    def close(self) -> None:
        """See `Archive`."""


class Zip:
    """A ZIP. Several threads may read."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except _UNREADABLE as error:
            raise BadDataset(f"{path} is neither a folder nor a ZIP: {error}") from error
        try:
            self._files = _checked(self._zip.infolist())
        except BadDataset:
            self._zip.close()
            raise
        self.names = tuple(sorted(self._files))

    def read(self, name: str) -> bytes:
        """See `Archive`. The ZIP's own reader gives no more than the size it declares."""
        try:
            return self._zip.read(self._files[name])
        except _UNREADABLE as error:
            raise BadDataset(f"{name} cannot be read: {error}") from error

    def close(self) -> None:
        """See `Archive`."""
        self._zip.close()


def _checked(entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The files by name. Raises BadDataset for what no honest archive has."""
    if len(entries) > MAX_FILES:
        raise BadDataset(f"the ZIP has {len(entries)} entries, more than {MAX_FILES}")
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = entry.filename
        if not name:
            raise BadDataset("the ZIP has a file without a name")
        parts = PurePosixPath(name).parts
        if name.startswith("/") or "\\" in name or ".." in parts or ":" in name.partition("/")[0]:
            raise BadDataset(f"the ZIP has a name that leads out of it: {name!r}")
        if entry.is_dir():
            continue
        if name in found:
            raise BadDataset(f"the ZIP has two files called {name!r}")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise BadDataset(f"{name!r} in the ZIP is a link")
        if entry.flag_bits & 0x1:
            raise BadDataset(f"{name!r} in the ZIP is encrypted")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadDataset(f"{name!r} in the ZIP is neither stored nor deflated")
        if name.lower().endswith(_ARCHIVES):
            raise BadDataset(f"{name!r} in the ZIP is an archive itself; unpack it first")
        if entry.file_size > MAX_FILE:
            raise BadDataset(f"{name!r} in the ZIP is larger than {MAX_FILE >> 20} MiB")
        if entry.file_size > max(_SMALL, _MAX_RATIO * entry.compress_size):
            raise BadDataset(
                f"{name!r} in the ZIP is a bomb: {entry.compress_size} bytes become {entry.file_size}"
            )
        if not any(part.startswith((".", "__MACOSX")) for part in parts):
            found[name] = entry
    return found
