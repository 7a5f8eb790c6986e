"""The data folder is its owner's alone: it holds keys, the secret that signs links, everybody's pictures."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: What `atelier up` makes in its folder. The folder itself may be anybody's: `--data-dir .`, say.
_OURS = ("key", "lock", "server.json", "atelier.db*", "objects", "logs", "redis")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private() -> None:
    """Let this process and its children make files that only their owner may read."""
    os.umask(_OTHERS)


@contextmanager
def made_privately() -> Iterator[None]:
    """The same, for what this process makes meanwhile."""
    before = os.umask(_OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def exposed(folder: Path) -> list[Path]:
    """What of ours in this folder others of this machine may open; a closed door in front is enough."""
    if folder.exists() and not _mode(folder) & (stat.S_IXGRP | stat.S_IXOTH):
        return []
    return [path for path in _ours(folder) if _mode(path) & _OTHERS]


def tighten(folder: Path) -> list[Path]:
    """Take others' rights to what of ours is in this folder; returns what somebody else has to do it for."""
    left = []
    for path in exposed(folder):
        try:
            path.chmod(_mode(path) & ~_OTHERS)
        except OSError:  # it belongs to somebody else, or lies where there are no rights to take
            left.append(path)
    return left


def _ours(folder: Path) -> Iterator[Path]:
    for pattern in _OURS:
        yield from sorted(path for path in folder.glob(pattern) if not path.is_symlink())


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
