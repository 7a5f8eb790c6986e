"""The whole suite as two crews beside each other: `python scripts/crews.py`. Arguments go to pytest, to both.

`waits` are the files that start processes and mostly wait for them, many at a time. `works` are the others,
and stand a little behind, so that who waits for a process is not late.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
CREWS = {
    # A test at a time, wherever there is room, but for those that share what is started once for a file.
    "waits": ("-n", "6", "--dist", "loadgroup"),
    # Long runs of neighbours, of which an idle process takes over the second half: no file is the last one.
    "works": ("-n", "2", "--dist", "worksteal"),
}
_COUNT = re.compile(r"(\d+) ([a-z]+)")
_LAST = re.compile(r"^=*\s*(\d+ [a-z]+(?:, \d+ [a-z]+)* in [\d.]+s.*?)\s*=*$", re.MULTILINE)
_BAD = re.compile(r"^(?:FAILED|ERROR) .*$", re.MULTILINE)


class Crew:
    """One run of pytest, and what it says."""

    def __init__(self, name: str, arguments: Sequence[str], *, aloud: bool) -> None:
        self.name = name
        self._said: list[bytes] = []
        command = [sys.executable, "-m", "pytest", "--crew", name, *CREWS[name], *arguments]
        if name == "works":
            command[:0] = ["nice", "-n", "5"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._aloud = aloud
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        while part := os.read(self._process.stdout.fileno(), 65_536):
            self._said.append(part)
            if self._aloud:
                sys.stdout.buffer.write(part)
                sys.stdout.buffer.flush()

    def ended(self) -> int:
        """Wait; its status."""
        self._listener.join()
        return self._process.wait()

    @property
    def said(self) -> str:
        """All of it."""
        return b"".join(self._said).decode(errors="replace")


def summary(said: str) -> str:
    """What pytest says last: `5 passed in 1.20s`."""
    found = _LAST.findall(said)
    return str(found[-1]) if found else "no summary"


def joined(summaries: Sequence[str], seconds: float) -> str:
    """One summary of several, in pytest's words."""
    counts: Counter[str] = Counter()
    for one in summaries:
        for count, what in _COUNT.findall(one.partition(" in ")[0]):
            counts[what.removesuffix("s") if what in ("errors", "warnings") else what] += int(count)
    return f"{', '.join(f'{count} {what}' for what, count in counts.items())} in {seconds:.2f}s"


def main(arguments: Sequence[str]) -> int:
    """Run both; 0 if both are well, else what one of them ended with."""
    began = time.monotonic()
    crews = [Crew(name, arguments, aloud=name == "works") for name in CREWS]
    try:
        statuses = [crew.ended() for crew in crews]
    except KeyboardInterrupt:  # the terminal has told them, too
        for crew in crews:
            crew.ended()
        return 130
    for crew in crews:
        if crew.name != "works":
            print(f"\n--- {crew.name} ---\n{crew.said}")
    for crew in crews:
        print("\n".join([*_BAD.findall(crew.said), f"{crew.name}: {summary(crew.said)}"]))
    print(joined([summary(crew.said) for crew in crews], time.monotonic() - began))
    return next((status for status in statuses if status), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
