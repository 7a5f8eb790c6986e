"""Objects as files below one folder: the embedded default.

Every path is walked with folder descriptors that follow no symbolic link, so no key, no link and no race
between them leads outside the root. What is being written lies in `~incoming`; a `~` is in no key, so neither
a write under way nor what a crash left of one is ever listed or opened.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from storage.base import (
    CHUNK,
    ObjectInfo,
    StorageUnavailable,
    check_key,
    check_prefix,
    check_range,
    forward_stream,
    round_trip,
)

_INCOMING = "~incoming"
#: Seconds after which a file in `~incoming` belongs to a process that died.
_LEFTOVER_AGE = 24 * 3600.0
#: How often a put builds its folder again after a concurrent delete pruned it.
_TRIES = 1000

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: O_NONBLOCK: opening a FIFO that somebody put there must not wait for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

#: "There is no such file here", said of a path that crosses a file, a link or a vanished folder.
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR}


@contextmanager
def _unavailable() -> Iterator[None]:
    """A full, read-only or failing disk is a store that cannot be used."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageUnavailable):
            raise
        raise StorageUnavailable(error.errno, f"local storage: {error.strerror}") from error


class LocalStorage:
    """A `Storage` in the folder `root`, which the first put creates."""

    def __init__(self, root: Path) -> None:
        # The root itself may be a link: that is the owner's choice, made once.
        self._root = Path(os.path.realpath(root))
        self._swept = False
        self._lock = threading.Lock()

    def put(self, key: str, stream: BinaryIO, *, media_type: str = "application/octet-stream") -> ObjectInfo:  # noqa: ARG002  a file has no type; the artifact's row does
        *folders, name = check_key(key).split("/")
        with _unavailable():
            incoming = self._incoming()
        temporary = incoming / uuid.uuid4().hex
        try:
            with _unavailable():
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                while chunk := stream.read(CHUNK):
                    with _unavailable():
                        _write_all(file.fileno(), chunk)
                with _unavailable():
                    os.fsync(file.fileno())
                    written = os.fstat(file.fileno())
            with _unavailable():
                self._move(temporary, folders, name, key)
        finally:
            # Gone already when it was moved; whatever else happened, it must not stay.
            with suppress(OSError):
                temporary.unlink()
        return ObjectInfo(key, written.st_size, datetime.fromtimestamp(written.st_mtime, UTC))

    def open(self, key: str, start: int = 0, end: int | None = None) -> BinaryIO:
        check_range(start, end)
        *folders, name = check_key(key).split("/")
        with _absent(key), self._folder(folders) as folder:
            descriptor = os.open(name, _FILE, dir_fd=folder)
        file = os.fdopen(descriptor, "rb", buffering=0) if _is_file(descriptor) else None
        if file is None:
            os.close(descriptor)
            raise FileNotFoundError(key)
        file.seek(start)
        return forward_stream(file, None if end is None else end - start)

    def stat(self, key: str) -> ObjectInfo:
        *folders, name = check_key(key).split("/")
        with _absent(key), self._folder(folders) as folder:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(key)
        return ObjectInfo(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def delete(self, key: str) -> None:
        parts = check_key(key).split("/")
        try:
            with _absent(key), self._folder(parts[:-1]) as folder:
                found = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
                if not stat.S_ISDIR(found.st_mode):
                    os.unlink(parts[-1], dir_fd=folder)
        except FileNotFoundError:
            return
        self._prune(parts[:-1])

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        return self._walk(prefix.split("/") if prefix else [])

    def delete_all(self, prefix: str) -> int:
        check_key(prefix)
        count = 0
        for info in self.list(prefix):
            self.delete(info.key)
            count += 1
        return count

    def presigned_get(self, key: str, *, expires: float, filename: str | None = None) -> None:  # noqa: ARG002  the interface's names
        check_key(key)

    def presigned_put(self, key: str, *, expires: float, media_type: str) -> None:  # noqa: ARG002  the interface's names
        check_key(key)

    def check(self) -> None:
        round_trip(self)

    def _incoming(self) -> Path:
        """The folder of writes under way: in the root, so that a rename never crosses file systems."""
        incoming = self._root / _INCOMING
        incoming.mkdir(parents=True, exist_ok=True)
        if stat.S_ISLNK(incoming.lstat().st_mode):
            raise StorageUnavailable(errno.ELOOP, f"{_INCOMING} is a link")
        with self._lock:
            first, self._swept = not self._swept, True
        if first:
            with os.scandir(incoming) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        if entry.stat(follow_symlinks=False).st_mtime < time.time() - _LEFTOVER_AGE:
                            os.unlink(entry.path)
        return incoming

    def _move(self, temporary: Path, folders: Sequence[str], name: str, key: str) -> None:
        """Give the finished file its name.

        A concurrent delete may prune the folder between our making it and our renaming into it; the
        rename then fails, for a removed folder takes no entries, and we begin again. The other way
        round, rmdir refuses a folder that has our file. So neither side needs a lock.
        """
        for _ in range(_TRIES):
            try:
                with self._folder(folders, create=True) as folder:
                    os.replace(temporary, name, dst_dir_fd=folder)
                    # The name must survive a power cut as the bytes do: a row that points here commits next.
                    os.fsync(folder)
                return
            except FileNotFoundError:
                continue
            except (NotADirectoryError, IsADirectoryError) as error:
                raise ValueError(f"{key!r} clashes with a stored key, or a link is in its way") from error
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise ValueError(f"{key!r} clashes with a link in its way") from error
                raise
        raise StorageUnavailable(f"the folder of {key!r} is deleted again and again")

    @contextmanager
    def _folder(self, parts: Sequence[str], *, create: bool = False) -> Iterator[int]:
        """A descriptor of the folder `parts` below the root, following no link on the way."""
        current = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(part, 0o755, dir_fd=current)
                        os.fsync(current)  # the same power cut, for the new folder's own name
                below = os.open(part, _FOLDER, dir_fd=current)
                os.close(current)
                current = below
            yield current
        finally:
            os.close(current)

    def _prune(self, folders: Sequence[str]) -> None:
        """Remove the folder `folders` and its parents while they are empty."""
        while folders:
            *folders, name = folders
            try:
                with self._folder(folders) as folder:
                    os.rmdir(name, dir_fd=folder)
            except OSError:
                return  # not empty, gone already, or not ours to remove: an empty folder harms nobody

    def _walk(self, parts: Sequence[str]) -> Iterator[ObjectInfo]:
        """Objects below `parts`, in key order; one folder's names in memory at a time."""
        files: dict[str, ObjectInfo] = {}
        names = []
        try:
            with _absent("/".join(parts)), self._folder(parts) as folder, os.scandir(folder) as entries:
                for entry in entries:
                    try:
                        key = check_key("/".join([*parts, entry.name]))
                    except ValueError:
                        continue  # not one of ours
                    if entry.is_dir(follow_symlinks=False):
                        names.append(entry.name + "/")
                    elif entry.is_file(follow_symlinks=False):
                        with suppress(FileNotFoundError):  # deleted while we look
                            found = entry.stat(follow_symlinks=False)
                            modified = datetime.fromtimestamp(found.st_mtime, UTC)
                            files[entry.name] = ObjectInfo(key, found.st_size, modified)
                            names.append(entry.name)
        except FileNotFoundError:
            return
        # Sorted with the folders' slashes, this is the order of whole keys, as S3 gives it.
        for name in sorted(names):
            if name.endswith("/"):
                yield from self._walk([*parts, name[:-1]])
            else:
                yield files[name]


@contextmanager
def _absent(key: str) -> Iterator[None]:
    """Turn every way of not being there into FileNotFoundError(key), and the rest into StorageUnavailable."""
    try:
        with _unavailable():
            yield
    except StorageUnavailable as error:
        if error.errno in _ABSENT:
            raise FileNotFoundError(key) from error
        raise


def _is_file(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
