"""The child of `sandbox`: limits itself, then converts one file. Run by nobody else.

It writes a line `started`, then one JSON object: `done`, or `bad_network` or `failed` with the reason.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from engines.base import EngineError
from engines.stylegan import network_file
from engines.stylegan.bad_network import BadNetwork
from engines.stylegan.reading import official
from engines.stylegan.reading.pickle_machine import Limits

#: What reading a network never does. An audit hook (PEP 578) cannot be taken off again.
_REFUSED = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.kill",
    "pty.",
    "ctypes.",
    "pickle.find_class",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "os.chown",
)

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: What may be read besides the network: modules, which libraries import late, and whose lines an error shows.
_MODULES = (".py", ".pyc")

#: What the interpreter and its libraries have mapped besides: code, arenas, address space that is never used.
_ADDRESSES = 2**30
_OPEN_FILES = 32
#: Seconds between the signal that ends a child by its processor time and the kernel's own kill.
_CPU_GRACE = 5


def main(request: dict[str, Any]) -> dict[str, Any]:
    """What came of a request."""
    source, target = Path(request["source"]), Path(request["target"])
    try:
        _convert(source, target, request["half"], request["file_bytes"])
    except BadNetwork as error:
        return {"bad_network": str(error)}
    except MemoryError:
        return {"bad_network": "reading it took more memory than a network needs"}
    except (EngineError, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            return {"bad_network": f"the network would be larger than {request['file_bytes']:,} bytes"}
        return {"failed": str(error)}
    return {"done": True}


def restrict(request: dict[str, Any]) -> None:
    """From here on there is little that this process can do."""
    files, memory, seconds = request["file_bytes"], request["memory_bytes"], request["cpu_seconds"]
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        # Neither processes nor threads, whoever asks for them; root alone is not held by it.
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, files),
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_AS, memory + files + _ADDRESSES),
    ):
        resource.setrlimit(kind, (limit, limit))
    # Two limits: with one, the kernel would kill, and that looks like a machine without memory.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + _CPU_GRACE))
    source, target = request["source"], request["target"]

    def may_open(path: Any, flags: int) -> bool:
        if flags & _WRITING:
            return bool(path == target)
        return path in (source, target) or str(path).endswith(_MODULES)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        # `open` comes with a path, a mode and flags.
        if event.startswith(_REFUSED) or (event == "open" and not may_open(arguments[0], arguments[2])):
            raise PermissionError(f"{event} is refused while a network is read")

    sys.addaudithook(audit)


def _convert(source: Path, target: Path, half: bool, most: int) -> None:
    classes: tuple[str, ...] = ()
    with source.open("rb") as stream:
        is_ours = network_file.begins_like_one(stream.read(9))
    if is_ours:
        header = network_file.read_header(source)
        classes, origin = header.classes, header.origin
        config, tensors = network_file.read(source)
    else:
        # Nothing of the file itself: the same network gives the same bytes, however it was packed.
        origin = {"format": "stylegan2-ada-pytorch", "network": official.AVERAGED}
        config, tensors = official.read(source, Limits(file_bytes=most)).generator()
    network_file.write(target, config, tensors, half=half, classes=classes, origin=origin)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    restrict(asked)
    print("started", flush=True)  # noqa: T201 - this is how it answers
    print(json.dumps(main(asked)), flush=True)  # noqa: T201
