"""What it costs to start a worker, and to have it: CPU seconds and memory of its parent and its child, idle.

python scripts/bench/worker_start.py
git worktree add --detach /tmp/before COMMIT
python scripts/bench/worker_start.py --before /tmp/before   # that one, too, in turn with this one
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from scripts.bench.servers import process, row, tree_environment
from tests.services import redis_server

BENCH = Path(__file__).parent
ROOT = BENCH.parents[1]

#: How long a worker may take until it reports, and the seconds it then has to come to rest.
PATIENCE, REST = 180.0, 1.0

#: Of one process: user and system seconds, resident and proportional bytes.
Cost = dict[str, float]


def cost(one: psutil.Process) -> Cost:
    """What this process has used until now."""
    times, memory = one.cpu_times(), one.memory_full_info()
    return {"user": times.user, "system": times.system, "rss": memory.rss, "pss": memory.pss}


def started(root: Path, folder: str) -> dict[str, Cost]:
    """Start a worker of this checkout and wait until it has reported; what its two processes cost by then."""
    file = Path(folder, "jobs.db")
    file.unlink(missing_ok=True)
    url = f"sqlite:///{file}"
    key = [sys.executable, str(BENCH / "tree.py"), "key", url]
    subprocess.run(key, check=True, stdout=subprocess.DEVNULL, env=tree_environment(root), cwd=root)
    with redis_server() as redis:
        environment = {"DATABASE_URL": url, "REDIS_URL": redis.url, "STORAGE_URL": f"file://{folder}/objects"}
        with process(sys.executable, "-m", "workers", root=root, environment=environment) as parent:
            give_up = time.monotonic() + PATIENCE
            while not (pid := reported(file)):
                assert time.monotonic() < give_up, "the worker does not report"
                time.sleep(0.05)
            time.sleep(REST)
            return {"parent": cost(parent), "child": cost(psutil.Process(pid))}


def reported(file: Path) -> int | None:
    """The pid of the child that has reported, if one has."""
    with sqlite3.connect(file) as connection:
        found = connection.execute("SELECT pid FROM workers").fetchone()
    connection.close()
    return int(found[0]) if found else None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, metavar="PATH", help="another checkout, to compare with")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; medians count (default: %(default)s)")
    arguments = parser.parse_args()
    trees = {"now": ROOT} | ({"before": arguments.before.resolve()} if arguments.before else {})
    rounds: dict[str, list[dict[str, Cost]]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(arguments.rounds):
            for name, tree in list(trees.items())[:: -1 if turn % 2 else 1]:
                rounds[name].append(started(tree, folder))
    print("| what | measured | target | |\n|---|---|---|---|")
    for part in ("parent", "child"):
        for name, each in rounds.items():
            of = {what: statistics.median(one[part][what] for one in each) for what in each[0][part]}
            row(
                f"a worker's {part}, {name}",
                f"{of['user']:.2f} s user + {of['system']:.2f} s system, "
                f"{of['rss'] / 2**20:.0f} MiB resident, {of['pss'] / 2**20:.0f} MiB proportional",
            )
    for what, unit, digits in (("user", "s", 2), ("rss", "MiB", 0), ("pss", "MiB", 0)):
        both = {
            name: statistics.median(one["parent"][what] + one["child"][what] for one in each)
            / (1 if unit == "s" else 2**20)
            for name, each in rounds.items()
        }
        if "before" in both:
            now, before = both["now"], both["before"]
            row(
                f"a worker's {what} against before",
                f"{before:.{digits}f} -> {now:.{digits}f} {unit}, {before - now:.{digits}f} saved",
                "less",
                now < before,
            )


if __name__ == "__main__":
    main()
