"""The folders attempts compute in: one each, gone with the attempt, or at the next start after a kill.

A folder is locked (flock) by whoever uses it. The kernel ends a lock with its process, so a folder that can
be locked is nobody's any more.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX = "atelier-scratch-"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Scratch:
    """An empty folder, below the temporary one, of this process's own until it is closed."""

    def __init__(self) -> None:
        """Raises OSError where none can be made."""
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
            with suppress(FileNotFoundError):  # a worker that started just now took it for one that was left
                self._descriptor = os.open(self.path, _FOLDER)
                with suppress(OSError):  # file systems without locks: nobody can remove one there either
                    fcntl.flock(self._descriptor, fcntl.LOCK_EX)  # waits for one who is about to remove it
                if _is_there(self._descriptor, self.path):
                    return
                os.close(self._descriptor)

    def close(self) -> None:
        """Remove it, as far as that can be."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._descriptor)


def remove_left() -> list[Path]:
    """Remove what killed processes of this user left. Returns those folders."""
    removed = []
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # no folder, somebody else's, or gone by now
            descriptor = os.open(path, _FOLDER)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(descriptor).st_uid == os.getuid() and _is_there(descriptor, path):
                    shutil.rmtree(path, ignore_errors=True)
                    removed.append(path)
            finally:
                os.close(descriptor)
    return removed


def _is_there(descriptor: int, path: Path) -> bool:
    """Whether the open folder still has this name."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return found.st_ino == os.fstat(descriptor).st_ino
