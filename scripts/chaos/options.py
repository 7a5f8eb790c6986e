"""What the command line says."""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

#: Parts that can be left out, to see that the audit notices.
ABLATIONS = ("sweeper", "fence", "parts")


@dataclass(frozen=True)
class Options:
    """One run."""

    seconds: float = 120.0
    jobs_per_second: float = 2.5
    fault_every: float = 8.0
    workers: int = 6
    seed: int = 0
    storage: str = "s3"
    settle: float = 180.0
    ablate: str | None = None
    keep: Path | None = None


def parse(arguments: list[str], description: str) -> Options:
    """The options of a command line; a seed that was not given is drawn."""
    default = Options()
    parser = argparse.ArgumentParser(
        prog="python scripts/chaos.py",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--seconds", type=_positive, default=default.seconds, help="of load and faults (%(default)s)")
    add("--jobs-per-second", type=_positive, default=default.jobs_per_second, help="on average (%(default)s)")
    add(
        "--fault-every", type=_positive, default=default.fault_every, help="seconds, on average (%(default)s)"
    )
    add("--workers", type=int, default=default.workers, help="worker processes, 4 or more (%(default)s)")
    add("--seed", type=int, help="of everything that is drawn; printed, so that it can be given again")
    add("--storage", choices=["s3", "local"], default=default.storage, help="object store (%(default)s)")
    add(
        "--settle",
        type=_positive,
        default=default.settle,
        help="seconds that everything may take to end afterwards (%(default)s)",
    )
    add("--ablate", choices=ABLATIONS, help="break it on purpose: the audit must find that")
    add("--keep", type=Path, metavar="DIR", help="keep the processes' logs in this folder")
    found = parser.parse_args(arguments)
    if found.workers < 4:
        parser.error("--workers is 4 or more")
    values = vars(found)
    if values["seed"] is None:
        values["seed"] = random.SystemRandom().randrange(1_000_000)
    return Options(**values)


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("more than 0")
    return value
