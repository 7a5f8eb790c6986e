"""A real embedded system in a temporary data folder, and a clean environment for every test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from cli.main import main
from tests.patience import PATIENCE
from tests.ports import own_port

ATELIER = (sys.executable, "-c", "from cli.main import main; main()")
OURS = ("ATELIER_", "DATABASE_URL", "REDIS_URL", "STORAGE_URL", "PROMETHEUS_")


def clean_environment() -> dict[str, str]:
    kept = ("ATELIER_PACE",)
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS) or name in kept}


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Commands run in this process may set variables for the rest of it."""
    before, cleaned = dict(os.environ), clean_environment()
    # Not what another test's import of api.gunicorn set for this process: its metrics lie there from then on.
    cleaned |= {name: value for name, value in before.items() if name.startswith("PROMETHEUS_")}
    os.environ.clear()
    os.environ.update(cleaned)
    yield
    os.environ.clear()
    os.environ.update(before)


@dataclass
class System:
    """One `atelier up`, started as a user would."""

    process: subprocess.Popen[str]
    folder: Path
    log: Path

    def said(self) -> str:
        return self.log.read_text()

    def wait_ready(self) -> None:
        wait_until(lambda: (self.folder / "server.json").exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()

    def tree(self) -> list[psutil.Process]:
        """Everything it started."""
        return psutil.Process(self.process.pid).children(recursive=True)


def wait_until(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def gone(process: psutil.Process) -> bool:
    """Ended; where nobody reaps orphans (a container without an init) a zombie is as good."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def start_system(folder: Path, log: Path, *arguments: str, **environ: str) -> System:
    command = (*ATELIER, "up", "--data-dir", str(folder), "--port", str(own_port()), *arguments)
    with log.open("w") as out:
        process = subprocess.Popen(
            command, env=clean_environment() | environ, stdout=out, stderr=subprocess.STDOUT, text=True
        )
    return System(process, folder, log)


def end_system(system: System) -> None:
    if system.process.poll() is None:
        system.process.terminate()
        try:
            system.process.wait(30)
        except subprocess.TimeoutExpired:
            system.process.kill()
            system.process.wait()


@pytest.fixture(scope="session")
def system(tmp_path_factory) -> Iterator[System]:
    """A running system, whose operator lets webhooks go to this machine; shared by all that do not end it."""
    base = tmp_path_factory.mktemp("up")
    made = start_system(base / "data", base / "up.log", ATELIER_WEBHOOKS_ALLOW_PRIVATE="1")
    try:
        made.wait_ready()
        yield made
        made.process.terminate()
        assert made.process.wait(30) == 0, made.said()
    finally:
        end_system(made)


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(system: System) -> Run:
    """Run a command against the running system in a process, as a shell does."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (*ATELIER, "--data-dir", str(system.folder), *arguments),
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    return run


@pytest.fixture
def atelier(system: System) -> Run:
    """The same in this process: most of a command's time in a process of its own is that process's start."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        before = dict(os.environ)
        try:
            found = CliRunner().invoke(main, ["--data-dir", str(system.folder), *arguments])
        finally:
            os.environ.clear()
            os.environ.update(before)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return subprocess.CompletedProcess(arguments, found.exit_code, found.stdout, found.stderr)

    return run
