"""Networks that users uploaded, kept on this machine's disk: fetched once, verified, the least used go first.

All workers of a machine share the folder. What keeps them apart are locks of the kernel (flock), which end
with their process, so that a crash leaves nothing locked:

    <sha256>.safetensors   a whole file; its readers hold it shared, who removes it holds it alone
    <sha256>.part          being written by whoever holds the fetch lock
    fetch-<digit>.lock     one at a time fetches files whose hash begins with that digit
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import structlog

from engines.base import Transient
from storage.base import CHUNK, Storage, StorageUnavailable

_log = structlog.get_logger(__name__)

_WHOLE = ".safetensors"
_PART = ".part"
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_WRITE = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW


class NetworkDamaged(Transient):
    """The stored network is not the one that was converted."""

    code = "network_damaged"


class NoRoomForNetworks(Transient):
    """The folder for networks cannot be used on this machine."""


class Kept:
    """One file that stays on the disk until it is released; releasing it twice is releasing it once."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let others remove the file. Who has opened it can read it all the same."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class NetworkCache:
    """Files by their hash in `folder`, of `budget` bytes. Touches nothing before the first `hold`."""

    def __init__(self, folder: Path, budget: int) -> None:
        self._folder = folder
        self._budget = budget
        #: (hash, inode, size) of files that this process has read and found to be what they are named.
        self._verified: set[tuple[str, int, int]] = set()

    def hold(self, sha256: str, key: str, size: int, storage: Storage) -> Kept:
        """The file of this hash, fetched from `key` of the store if it is not here; the caller releases it.

        What is in use is never removed, so files in use together may take more than the budget. Raises
        FileNotFoundError when the store does not have it, StorageUnavailable, NetworkDamaged and
        NoRoomForNetworks.
        """
        with _usable(self._folder):
            self._prepare()
        path = self._folder / f"{sha256}{_WHOLE}"
        kept = self._held(path, sha256)
        if kept is None:
            with self._fetching(sha256[0]):
                # Somebody else may have fetched it while we waited.
                kept = self._held(path, sha256) or self._fetch(path, sha256, key, size, storage)
        return kept

    def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = self._folder.lstat()
        # The default lies below a folder that everybody can write to.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, os.getuid()):
            raise NoRoomForNetworks(f"{self._folder} is somebody else's; set ATELIER_NETWORKS_DIR.")

    def _held(self, path: Path, sha256: str) -> Kept | None:
        """The file, if it is here and whole."""
        with _usable(path):
            try:
                descriptor = os.open(path, _READ)
            except FileNotFoundError:
                return None
            kept = Kept(path, descriptor)
            # A disk that fails must not leave the lock behind: nobody could ever remove the file.
            with _released_on_error(kept):
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                if not _is_still(path, descriptor):  # removed before we had the lock
                    kept.release()
                    return None
                if not self._verify(descriptor, sha256):
                    _log.warning("network_damaged_on_disk", sha256=sha256)
                    path.unlink(missing_ok=True)
                    kept.release()
                    return None
                os.utime(descriptor)  # it was used just now
        return kept

    def _verify(self, descriptor: int, sha256: str) -> bool:
        found = os.fstat(descriptor)
        known = (sha256, found.st_ino, found.st_size)
        if known not in self._verified:
            with os.fdopen(os.dup(descriptor), "rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
                    return False
            self._verified.add(known)
        return True

    @contextmanager
    def _fetching(self, digit: str) -> Iterator[None]:
        with _usable(self._folder):
            lock = os.open(self._folder / f"fetch-{digit}.lock", _WRITE, 0o600)
        try:
            with _usable(self._folder):
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _fetch(self, path: Path, sha256: str, key: str, size: int, storage: Storage) -> Kept:
        part = path.with_suffix(_PART)
        fetched = False
        with storage.open(key) as source, _usable(self._folder):
            self._make_room(size, sha256[0])
            descriptor = os.open(part, _WRITE, 0o600)
            try:
                _copy(source, descriptor, sha256, size)
                # Ours before it has its name, so that nobody removes it in between.
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                os.replace(part, path)
                fetched = True
            finally:
                if not fetched:
                    os.close(descriptor)
                    part.unlink(missing_ok=True)
        self._verified.add((sha256, os.fstat(descriptor).st_ino, size))
        _log.info("network_fetched", sha256=sha256, bytes=size)
        return Kept(path, descriptor)

    def _make_room(self, needed: int, digit: str) -> None:
        """Remove what was used longest ago until `needed` bytes fit, or all that is left is in use."""
        whole: list[tuple[float, int, Path]] = []
        total = needed
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):  # removed while we look
                found = path.stat()
                if path.suffix == _WHOLE:
                    whole.append((found.st_mtime, found.st_size, path))
                    total += found.st_size
                elif path.suffix == _PART and not self._is_left_over(path, digit):
                    total += found.st_size
        for _, size, path in sorted(whole):
            if total <= self._budget:
                return
            if _removed(path):
                _log.info("network_dropped", sha256=path.stem, bytes=size)
                total -= size

    def _is_left_over(self, part: Path, digit: str) -> bool:
        """Whether its writer died; then it is removed. `digit` is that of the lock we hold."""
        if part.name[0] == digit:
            part.unlink(missing_ok=True)
            return True
        lock = os.open(self._folder / f"fetch-{part.name[0]}.lock", _WRITE, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink(missing_ok=True)
        except BlockingIOError:
            return False
        finally:
            os.close(lock)
        return True


@contextmanager
def _released_on_error(kept: Kept) -> Iterator[None]:
    try:
        yield
    except OSError:
        kept.release()
        raise


@contextmanager
def _usable(where: Path) -> Iterator[None]:
    """A full, read-only or failing disk is this machine's fault, and another may have a better one."""
    try:
        yield
    except StorageUnavailable:
        raise
    except OSError as error:
        raise NoRoomForNetworks(f"{where} cannot be used: {error.strerror}") from error


def _copy(source: BinaryIO, descriptor: int, sha256: str, size: int) -> None:
    made = hashlib.sha256()
    left = size
    # At most one byte more than there should be: a wrong object must not fill the disk.
    while chunk := source.read(min(CHUNK, left + 1)):
        made.update(chunk)
        left -= len(chunk)
        if left < 0:
            break
        view = memoryview(chunk)
        while view:
            view = view[os.write(descriptor, view) :]
    if left or made.hexdigest() != sha256:
        raise NetworkDamaged(f"The stored network {sha256[:16]}... is damaged.")


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return path.stat(follow_symlinks=False).st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _removed(path: Path) -> bool:
    """Remove the file unless somebody uses it."""
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_still(path, descriptor):
            path.unlink()
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
