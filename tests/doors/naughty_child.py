"""A child that does what it must not; the word for it is in its request."""

from __future__ import annotations

import json
import os
import socket
import sys
import time

from doors.child import STARTED
from doors.confined import confine


def main(what: str) -> str:
    match what:
        case "spin":
            while True:
                pass
        case "sleep":
            time.sleep(60)
        case "crash":
            os.abort()
        case "grow":
            return str(len(bytearray(10**9)))
        case "flood":
            return "x" * 100_000
        case "write":
            open("/tmp/naughty", "w").close()
        case "read":
            return open("/etc/hostname").read()
        case "connect":
            socket.create_connection(("127.0.0.1", 1))
        case "shell":
            os.system("true")
        case "environment":
            return ",".join(sorted(os.environ))
    return sys.stdin.read()


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    if asked["what"] == "never":
        sys.exit(3)
    confine(asked["memory_bytes"], asked["cpu_seconds"])
    sys.stdout.write(STARTED.decode())
    sys.stdout.flush()
    try:
        sys.stdout.write(main(asked["what"]) + "\n")
    except (OSError, MemoryError) as error:
        sys.stdout.write(type(error).__name__ + "\n")
