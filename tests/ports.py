"""Ports that are this process's own until it ends, for servers that cannot be handed a bound socket.

A port that merely was free a moment ago may be another's when the server binds it, and who waits for the
server then talks to a stranger. These lie below what the kernel gives to outgoing connections, and each is
held by a lock on one byte of a file that all processes of this user share.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import threading
from pathlib import Path

#: From here on: below lie the ports that programs are known by.
_FIRST = 20_000
#: Not in TMPDIR, which tests give each their own.
_LOCKS = Path("/tmp") / f"atelier-ports-{os.getuid()}"
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


class _Held:
    """What this process holds. The kernel gives it back when the process ends, however it does."""

    def __init__(self) -> None:
        self._pid: int | None = None
        self._file = -1
        self._ports: set[int] = set()
        self._taking = threading.Lock()

    def take(self, port: int) -> bool:
        """Hold a port, unless somebody does or listens there."""
        with self._taking:
            return self._take(port)

    def _take(self, port: int) -> bool:
        if self._pid != os.getpid():  # a fork has its parent's file, and none of its locks
            self._pid, self._ports = os.getpid(), set()
            self._file = os.open(_LOCKS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if port in self._ports:
            return False
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except OSError:
            return False
        if not _is_free(port):
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, port)
            return False
        self._ports.add(port)
        return True


_held = _Held()


def own_port() -> int:
    """A loopback port on which nobody listens; while this process lives, nobody else is given it."""
    first, end = _range()
    count = end - first
    start = random.SystemRandom().randrange(count)
    for step in range(count):
        port = first + (start + step) % count
        if _held.take(port):
            return port
    raise RuntimeError(f"every port from {first} to {end - 1} is taken")


def _range() -> tuple[int, int]:
    """The ports to choose from: not those of outgoing connections, where they leave any."""
    try:
        lowest = int(_EPHEMERAL.read_text().split()[0])
    except OSError:
        lowest = 32_768  # not Linux; elsewhere they begin higher
    return (_FIRST, lowest) if lowest > _FIRST + 1000 else (_FIRST, 60_000)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
