"""The child's part of `doors.child`: it gives up what it does not need before it looks at the file."""

from __future__ import annotations

import os
import resource
import sys
from typing import Any

from doors.child import ANSWER_BYTES

#: What looking at a file never does. An audit hook (PEP 578) cannot be taken off again. It holds what is
#: written in Python; a library in C is held by the limits alone.
_REFUSED = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.kill",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
    "pty.",
    "ctypes.",
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: What may still be opened: modules, which libraries import late.
_MODULES = (".py", ".pyc")

#: What the interpreter and its libraries have mapped besides: code, and address space that is never used.
_ADDRESSES = 1024 * 1024 * 1024
_OPEN_FILES = 32
#: Seconds between the signal that ends a child by its processor time and the kernel's own kill.
_CPU_GRACE = 2


def confine(memory_bytes: int, cpu_seconds: int) -> None:
    """From here on there is little that this process can do. What it needs is imported by now."""
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        # Neither processes nor threads, whoever asks for them; root alone is not held by it.
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, ANSWER_BYTES),
        (resource.RLIMIT_DATA, memory_bytes),
        (resource.RLIMIT_AS, memory_bytes + _ADDRESSES),
    ):
        resource.setrlimit(kind, (limit, limit))
    # Two limits: with one, the kernel would kill, and that looks like a machine without memory.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + _CPU_GRACE))
    sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    refused = event.startswith(_REFUSED)
    if event == "open":  # comes with a path, a mode and flags
        path, _, flags = arguments
        refused = bool(flags & _WRITING) or not str(path).endswith(_MODULES)
    if refused:
        raise PermissionError(f"{event} is refused while a file is looked at")
