"""A real RabbitMQ for the tests: a node of its own on free loopback ports, as a normal user.

Debian's `/usr/sbin/rabbitmq-server` insists on the user `rabbitmq` and its folder; the script behind it does
not. A node needs epmd, which would stay behind as a daemon on every interface: this one has its own, too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import amqp
import psutil

from tests.ports import own_port
from tests.services import MissingService

_DEBIAN = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
#: Erlang takes its time, and more on a machine that is busy.
_START_SECONDS = 120.0


def _programs() -> tuple[str, str]:
    server = str(_DEBIAN) if _DEBIAN.exists() else shutil.which("rabbitmq-server")
    epmd = shutil.which("epmd")
    if server is None or epmd is None:
        raise MissingService("no rabbitmq-server (Debian: rabbitmq-server)")
    return server, epmd


class RabbitServer:
    """A node that can be stopped and started again with what it had stored."""

    def __init__(self, folder: Path) -> None:
        self.port = own_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self._program, epmd = _programs()
        self._folder = folder
        self._user = 65534 if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(folder, self._user, self._user)
            folder.chmod(0o755)
        self._write("rabbitmq.conf", f"listeners.tcp.1 = 127.0.0.1:{self.port}\n")
        self._write("enabled_plugins", "[].\n")
        self._environment = self._settings(epmd_port=own_port())
        self._process: subprocess.Popen[bytes] | None = None
        self._epmd = self._run(epmd, "-port", self._environment["ERL_EPMD_PORT"], "-address", "127.0.0.1")

    def _settings(self, *, epmd_port: int) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self._folder),
            "ERL_EPMD_PORT": str(epmd_port),
            "RABBITMQ_NODENAME": f"atelier-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(own_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "enabled_plugins"),
        }

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text)
        (self._folder / name).chmod(0o644)

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        with (self._folder / "output.log").open("ab") as log:
            return subprocess.Popen(
                command, env=self._environment, user=self._user, cwd="/", stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        """The process id of the node itself; what was started is a script that waits for it."""
        assert self._process is not None
        (node,) = psutil.Process(self._process.pid).children()
        return node.pid

    def start(self) -> None:
        """Start and wait until a client is let in."""
        self._process = self._run(self._program)
        give_up = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                said = (self._folder / "output.log").read_text(errors="replace")
                raise RuntimeError(f"RabbitMQ did not start:\n{said[-3000:]}")
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            with amqp.Connection(f"127.0.0.1:{self.port}", connect_timeout=5, read_timeout=5):
                return True
        except (OSError, amqp.AMQPError):
            return False

    def stop(self) -> None:
        """Shut the node down as its service manager does; durable queues stay on its disk."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def forget(self) -> None:
        """Lose everything that a stopped node had stored, as a container without a volume does."""
        shutil.rmtree(self._folder / "mnesia")

    def close(self) -> None:
        """End it with all it started."""
        self.stop()
        self._epmd.terminate()
        self._epmd.wait(timeout=10)


@contextmanager
def rabbit_server() -> Iterator[RabbitServer]:
    """A running RabbitMQ. Raises MissingService."""
    with tempfile.TemporaryDirectory(prefix="atelier-rabbit-", ignore_cleanup_errors=True) as folder:
        server = RabbitServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.close()
