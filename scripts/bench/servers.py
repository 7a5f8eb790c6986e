"""What the benchmarks share: processes that they start and end, and the rows of their tables."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import psutil

ROOT = Path(__file__).parents[2]
#: Runs with the code of any checkout: started by its path, for its name would be found in that one.
TREE = Path(__file__).parent / "tree.py"

Environment = Mapping[str, str]
NOTHING: Environment = MappingProxyType({})


def tree_environment(root: Path, environment: Environment = NOTHING) -> dict[str, str]:
    """What a process needs to run the code of this checkout."""
    return {**os.environ, "PYTHONPATH": str(root), **environment}


def started(*command: str, root: Path = ROOT, environment: Environment = NOTHING) -> psutil.Popen:
    """A child process that must be ended; it runs the code of the checkout at `root`."""
    log = tempfile.TemporaryFile()  # noqa: SIM115  # the child's for as long as it lives
    return psutil.Popen(command, env=tree_environment(root, environment), stdout=log, stderr=log, cwd=root)


def ended(children: Sequence[psutil.Process]) -> None:
    """Tell them all to end, wait for them, and kill those that do not, with all below them."""
    below = {child.pid: child.children(recursive=True) for child in children if child.is_running()}
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):  # a benchmark may have ended it
            child.terminate()
    _, late = psutil.wait_procs(children, timeout=60)
    for child in late:
        for one in (child, *below.get(child.pid, [])):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
    psutil.wait_procs(late, timeout=10)


@contextlib.contextmanager
def process(*command: str, root: Path = ROOT, environment: Environment = NOTHING) -> Iterator[psutil.Popen]:
    """A child process, ended by its id."""
    child = started(*command, root=root, environment=environment)
    try:
        yield child
    finally:
        ended([child])


def cpu_seconds(*parents: psutil.Process) -> float:
    """The CPU seconds of these processes and all below them, those that have ended included."""
    total = 0.0
    for parent in parents:
        for one in (parent, *parent.children(recursive=True)):
            try:
                total += sum(one.cpu_times()[:4])
            except psutil.NoSuchProcess:
                continue  # its parent counts it now
    return total


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that `part` of them do not exceed, about."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def row(what: str, value: str, target: str = "", verdict: bool | None = None) -> None:
    """Print a row of the table."""
    mark = {True: "met", False: "MISSED", None: ""}[verdict]
    print(f"| {what} | {value} | {target} | {mark} |", flush=True)
