"""What `atelier doctor` looks at: one function a check, each with a verdict and how to mend it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from kombu.exceptions import OperationalError

from cli import context, embedded, private, settings
from cli.errors import CommandError
from cli.show import size
from client import environ
from engines import weights
from fleet.store import FleetStore
from jobs.database import Database
from jobs.migrate import head
from jobs.store import JobStore
from queue_config import Doorbell
from storage import open_storage

OK, WARN, FAIL = "OK", "WARN", "FAIL"

LOW_DISK_BYTES = 2 * 1024**3
CLOCK_SKEW_SECONDS = 30.0

#: The first 6.2 with the published flaws of its Lua engine mended (CVE-2024-46981, CVE-2025-49844).
MENDED_REDIS = (6, 2, 20)

#: Runs apart: torch takes seconds and hundreds of megabytes, and a broken one may take the process with it.
_TORCH = """
import json, torch
from engines.torch_device import choose_device, device_label
print(json.dumps({"version": torch.__version__, "device": device_label(choose_device())}))
"""


@dataclass(frozen=True)
class Verdict:
    """What a check found."""

    level: str
    text: str
    mend: str = ""


@dataclass(frozen=True)
class Place:
    """Where the checks look."""

    folder: Path
    environment: dict[str, str]
    running: settings.Running | None

    @property
    def is_own(self) -> bool:
        """Whether commands here talk to the system of this data folder."""
        return self.running is not None and environ.chosen_url() in (None, self.running.url)


def run_all(folder: Path) -> Iterator[tuple[str, Verdict]]:
    """Every check, in the order in which one depends on another."""
    settings.use(folder)
    place = Place(folder, settings.environment(folder), settings.running(folder))
    for name, check in CHECKS.items():
        yield name, check(place)


def python(_place: Place) -> Verdict:
    """Python is new enough."""
    found = sys.version.split()[0]
    if sys.hexversion < 0x030B0000:  # pip refuses as well, but a copied environment asks nobody
        return Verdict(
            FAIL, f"Python {found}", "Install Python 3.11 or later and make the environment again."
        )
    return Verdict(OK, f"Python {found}, {sys.platform}, {os.cpu_count()} processors")


def torch(_place: Place) -> Verdict:
    """Torch is there, and which device it would use."""
    found = subprocess.run([sys.executable, "-c", _TORCH], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        last = (found.stderr.strip().splitlines() or ["it does not start"])[-1]
        if "No module named 'torch'" in last:
            return Verdict(
                WARN,
                "not installed: this machine can be an API, not a worker",
                "scripts/demo.sh, or pip install torch.",
            )
        return Verdict(FAIL, last, "Reinstall torch, or choose another ATELIER_DEVICE.")
    known = json.loads(found.stdout)
    text = f"torch {known['version']} on {known['device']}"
    if known["device"] == "cpu" and shutil.which("nvidia-smi"):
        return Verdict(WARN, f"{text}, though there is an NVIDIA driver", "Install a CUDA build of torch.")
    return Verdict(OK, text)


def redis_binary(place: Place) -> Verdict:
    """There is a Redis for the embedded system."""
    if "REDIS_URL" in place.environment:
        return Verdict(OK, "not needed: REDIS_URL is set")
    try:
        found = embedded.redis_binary()
    except CommandError as error:
        return Verdict(FAIL, error.message, "Install Redis, or the `embedded` extra.")
    version = _redis_version(found)
    if version is None:
        return Verdict(WARN, f"{found} does not say which version it is", "Install Redis or Valkey.")
    text = f"{found}, {'.'.join(map(str, version))}"
    # A system's package of an older number may have the fixes all the same: its distributor sees to that.
    if version < MENDED_REDIS and embedded.is_bundled(found):
        return Verdict(
            WARN,
            f"{text} comes with a Python package and is older than the fixes of flaws that whoever has its "
            "password can use",
            "Install Redis or Valkey: `atelier up` then takes that one.",
        )
    return Verdict(OK, text)


def _redis_version(binary: str) -> tuple[int, int, int] | None:
    """Of a redis-server or valkey-server; None where it does not say."""
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\bv=(\d+)\.(\d+)\.(\d+)", said.stdout)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def broker(place: Place) -> Verdict:
    """The broker answers."""
    url = place.environment.get("REDIS_URL") or (place.running.redis_url if place.running else "")
    if not url:
        return Verdict(OK, "none yet: `atelier up` starts its own")
    os.environ["REDIS_URL"] = url
    try:
        Doorbell().check()
    except (OperationalError, OSError) as error:
        return Verdict(
            FAIL,
            f"{_host(url)}: {error}",
            "Start it or correct REDIS_URL. Jobs are accepted and wait meanwhile.",
        )
    return Verdict(OK, f"answers at {_host(url)}")


def database(place: Place) -> Verdict:
    """The database answers and has the newest tables."""
    try:
        with context.opened(place.environment["DATABASE_URL"]) as opened:
            where = opened.url.render_as_string(hide_password=True)
            if _is_absent(opened):
                return Verdict(OK, f"{where}: not made yet (`atelier up` does)")
            revision, newest = opened.revision(), head()
    except CommandError as error:
        return Verdict(FAIL, error.message, "Start it, or correct DATABASE_URL.")
    if revision != newest:
        return Verdict(
            FAIL, f"{where}: at revision {revision or 'none'}, this code needs {newest}", "atelier migrate"
        )
    return Verdict(OK, f"{where}, revision {revision}")


def workers(place: Place) -> Verdict:
    """Every queue in which jobs wait has a live worker."""
    try:
        with context.opened(place.environment["DATABASE_URL"]) as opened:
            if _is_absent(opened) or opened.revision() != head():
                return Verdict(OK, "not asked: the database is not ready (see above)")
            alive = FleetStore(opened).alive()
            waiting = JobStore(opened).due_by_queue()
    except CommandError:
        return Verdict(OK, "not asked: the database is not ready (see above)")
    served = {queue for worker in alive for queue in worker.queues}
    unserved = {queue: count for queue, count in waiting.items() if count and queue not in served}
    if unserved:
        text = ", ".join(f"{count} waiting in queue {queue}" for queue, count in sorted(unserved.items()))
        return Verdict(
            FAIL,
            f"no live worker for jobs that wait: {text}",
            _mend_workers(place, opened, ",".join(sorted(unserved))),
        )
    if alive:
        return Verdict(OK, f"{len(alive)} alive, for {', '.join(sorted(served))}")
    if place.running:
        return Verdict(WARN, "none is alive: jobs will wait", _mend_workers(place, opened, "gpu,cpu,net"))
    return Verdict(OK, "none; `atelier up` starts one")


def _mend_workers(place: Place, opened: Database, queues: str) -> str:
    if place.running:
        logs = place.folder / "logs"
        return f"Look at the workers' logs in {logs}; `atelier up --workers 1 --queues {queues}` starts one."
    if opened.is_sqlite:
        return f"`atelier up --queues {queues}` starts one."
    return f"Start one: `atelier worker --queues {queues}`."


def storage(_place: Place) -> Verdict:
    """The object store can be written and read."""
    try:
        open_storage().check()
    except ValueError as error:
        return Verdict(FAIL, str(error), "Correct STORAGE_URL.")
    except OSError as error:
        return Verdict(
            FAIL, str(error), "Make room, give write permission, or correct STORAGE_URL and its credentials."
        )
    return Verdict(OK, "written, read and deleted a small object")


def weight_files(_place: Place) -> Verdict:
    """Which optional weight files are there."""
    absent = [name for name in weights.WEIGHTS if not weights.present(name)]
    if absent:
        return Verdict(
            OK, f"optional, not installed: {', '.join(absent)} (`atelier weights pull {absent[0]}`)"
        )
    return Verdict(OK, f"all in {weights.weights_dir()}")


def disk(place: Place) -> Verdict:
    """There is room."""
    existing = next(path for path in (place.folder, *place.folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < LOW_DISK_BYTES:
        return Verdict(WARN, f"{size(free)} free at {existing}", "Make room: a full disk refuses jobs.")
    return Verdict(OK, f"{size(free)} free at {existing}")


def server(place: Place) -> Verdict:
    """A server answers and is ready."""
    try:
        url = settings.server_url(place.folder)
    except CommandError as error:
        return Verdict(FAIL, error.message, "Correct ATELIER_URL, or unset it.")
    try:
        answer = httpx.get(f"{url}/readyz", timeout=5.0, trust_env=False)
    except (httpx.TransportError, httpx.InvalidURL) as error:
        if not place.is_own and environ.chosen_url():
            return Verdict(FAIL, f"{url}: {error}", "Start it there, or correct or unset ATELIER_URL.")
        if place.running:
            return Verdict(
                FAIL, f"{url}: {error}", f"Look at {place.folder / 'logs'}; `atelier up` starts it again."
            )
        return Verdict(WARN, f"none at {url}", "`atelier up` starts one here.")
    if answer.status_code != 200:
        return Verdict(
            FAIL, f"{url} is not ready: {answer.text[:200]}", "Mend what it names; the logs say more."
        )
    if "degraded" in answer.text:
        return Verdict(WARN, f"{url} runs without its broker", "Start it: jobs are accepted and wait.")
    return Verdict(OK, f"ready at {url}")


def port(place: Place) -> Verdict:
    """The usual port is free, or ours."""
    usual = urlsplit(environ.DEFAULT_URL)
    host, number = str(usual.hostname), int(usual.port or 0)
    if place.running is not None:
        return Verdict(OK, f"the server listens at {place.running.url}")
    try:
        embedded.check_port(host, number)
    except CommandError as error:
        return Verdict(WARN, error.message, "atelier up --port 0")
    return Verdict(OK, f"{host}:{number} is free")


def clock(place: Place) -> Verdict:
    """This machine's clock and the server's agree (signed links end by the clock)."""
    try:
        answer = httpx.get(f"{settings.server_url(place.folder)}/healthz", timeout=5.0, trust_env=False)
        there = parsedate_to_datetime(answer.headers["date"])
    except (CommandError, httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError):
        return Verdict(OK, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC; no server to compare with")
    apart = abs((datetime.now(UTC) - there).total_seconds())
    if apart > CLOCK_SKEW_SECONDS:
        return Verdict(
            WARN, f"{apart:.0f} s from the server's", "Set the clocks (NTP): signed links end by the clock."
        )
    return Verdict(OK, "agrees with the server's")


def key(place: Place) -> Verdict:
    """There is an API key, and nobody else can read it."""
    path = settings.key_file(place.folder)
    try:
        found = settings.api_key(place.folder)
    except CommandError as error:
        return Verdict(FAIL, error.message, "Correct it, or make a new one with `atelier keys create`.")
    if found is None:
        return Verdict(
            WARN, "none", "`atelier up` makes one; or set ATELIER_KEY to one of `atelier keys create`."
        )
    if path.exists() and path.stat().st_mode & 0o077:
        return Verdict(WARN, f"{path} can be read by others", f"chmod 600 {path}")
    return Verdict(OK, "there")


def folder(place: Place) -> Verdict:
    """Nobody else of this machine can read the data folder."""
    if not place.folder.exists():
        return Verdict(OK, f"{place.folder}: not made yet (`atelier up` does)")
    if found := private.exposed(place.folder):
        names = ", ".join(path.name for path in found)
        return Verdict(
            WARN,
            f"{place.folder}: others of this machine can read {names}",
            "`atelier up` closes it when it starts; or chmod go= what it names.",
        )
    return Verdict(OK, f"{place.folder}: yours alone")


def _is_absent(opened: Database) -> bool:
    return opened.is_sqlite and not Path(opened.url.database or "").exists()


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname or parts.path)


CHECKS: dict[str, Callable[[Place], Verdict]] = {
    "python": python,
    "torch": torch,
    "redis": redis_binary,
    "broker": broker,
    "database": database,
    "workers": workers,
    "storage": storage,
    "weights": weight_files,
    "disk": disk,
    "port": port,
    "server": server,
    "key": key,
    "folder": folder,
    "clock": clock,
}
