"""Start a real system, give it work, harm it at random, let it settle, and audit it from outside.

Everything runs on loopback and is ended with the run. Exits with 1 when a promise was broken, with 2 for a
wrong command line, with 130 after Ctrl-C. docs/chaos.md says what is done and what is looked at.

    python scripts/chaos.py                                    # two minutes
    python scripts/chaos.py --seconds 900 --seed 7             # the long run
    python scripts/chaos.py --ablate sweeper                   # without a part it needs: must exit with 1
"""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType

from scripts.chaos import report
from scripts.chaos.options import parse
from scripts.chaos.run import run
from tests.services import MissingService


def main() -> int:
    """Run, print, and say by the status how it was."""
    options = parse(sys.argv[1:], __doc__ or "")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {line}", file=sys.stderr, flush=True)

    print(f"seed {options.seed}", flush=True)
    try:
        found = run(options, say)
    except KeyboardInterrupt:
        print("interrupted; everything was ended", file=sys.stderr)
        return 130
    except MissingService as error:
        print(f"cannot run here: {error}", file=sys.stderr)
        return 2
    print("\n".join([*found.table, *report.told(found.violations)]))
    return 1 if found.violations else 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    # Once: what follows is the ending of everything, which a second Ctrl-C must not cut short.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
