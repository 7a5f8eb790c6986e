"""What a process that looks at a file gives up: what it would write, start or open, and memory."""

from __future__ import annotations

import io
import os

import pytest

from doors.child import Limits, ask
from doors.confined import _audit


def naughty(what: str) -> str:
    limits = Limits(cpu_seconds=1)
    return ask("tests.doors.naughty_child", {"what": what}, io.BytesIO(b"data"), limits).decode()


@pytest.mark.parametrize("what", ["write", "read", "connect", "shell"])
def test_what_it_does_not_need_is_out_of_its_reach(what):
    assert naughty(what) == "PermissionError\n"


def test_it_has_no_more_memory_than_it_may():
    assert naughty("grow") == "MemoryError\n"


@pytest.mark.parametrize(
    "event",
    ["socket.connect", "socket.bind", "subprocess.Popen", "os.exec", "os.fork", "os.kill", "os.remove",
     "os.rename", "ctypes.dlopen"],
)  # fmt: skip
def test_what_looking_never_does_is_refused(event):
    with pytest.raises(PermissionError, match=f"{event} is refused"):
        _audit(event, ())


@pytest.mark.parametrize("event", ["import", "exec", "compile", "object.__getattr__", "os.listdir"])
def test_what_python_itself_does_is_not(event):
    _audit(event, ())


@pytest.mark.parametrize("path", ["/usr/lib/python3/json.py", "/usr/lib/python3/__pycache__/json.pyc"])
def test_modules_may_still_be_imported(path):
    _audit("open", (path, "r", os.O_RDONLY | os.O_CLOEXEC))


@pytest.mark.parametrize(
    ("path", "flags"),
    [
        ("/etc/hostname", os.O_RDONLY),
        ("/tmp/a.py", os.O_WRONLY),
        ("/tmp/a.py", os.O_RDWR),
        ("/tmp/a.py", os.O_RDONLY | os.O_CREAT),
        ("/tmp/a.pyc", os.O_RDONLY | os.O_TRUNC),
        (3, os.O_RDONLY),
    ],
    ids=["other", "write", "both", "create", "truncate", "number"],
)
def test_no_other_file_is_opened_and_none_is_written(path, flags):
    with pytest.raises(PermissionError):
        _audit("open", (path, "r", flags))
