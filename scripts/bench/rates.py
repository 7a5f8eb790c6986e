"""What the HTTP parts of scripts/bench/service.py share: servers to ask, and `wrk`, which asks."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from scripts.bench.servers import NOTHING, ROOT, TREE, Environment, process, tree_environment
from tests.ports import own_port

#: Of every API and of the baseline.
PROCESSES, THREADS = 2, 32
SETTINGS = {
    "ATELIER_API_WORKERS": str(PROCESSES),
    "ATELIER_API_THREADS": str(THREADS),
    "ATELIER_MAX_QUEUED": "0",  # it sends more than one owner may have waiting
}
BODY = '{"engine": "echo", "params": {"text": "x"}}'
#: Makes the tables of the baseline.
_TABLES = "from scripts.bench.bare_flask import engine, things; things.metadata.create_all(engine)"
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass(frozen=True)
class Server:
    """A served application, and what its requests look like."""

    pid: int
    base: str
    key: str
    collection: str
    item: str

    def client(self) -> httpx.Client:
        """Whoever asks it has its key."""
        return httpx.Client(headers={"Authorization": f"Bearer {self.key}"}, timeout=30)

    def rate(self, method: str, connections: int, seconds: int) -> Rate:
        """Ask it so for so long."""
        path = self.collection if method == "POST" else self.item
        return wrk(self.base + path, self.key, connections, seconds, BODY if method == "POST" else None)


@dataclass(frozen=True)
class Rate:
    """Requests a second, and seconds that half and 99 of a hundred took at most."""

    rate: float
    median: float
    p99: float


def wrk(url: str, key: str, connections: int, seconds: int, body: str | None = None) -> Rate:
    """All of them answered 2xx."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed (Debian: apt-get install wrk)")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f'wrk.headers["Authorization"] = "Bearer {key}"\n')
        if body is not None:
            script.write(f"wrk.method = 'POST'\nwrk.body = '{body}'\n")
            script.write("wrk.headers['Content-Type'] = 'application/json'\n")
        script.flush()
        out = subprocess.run(
            [
                "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "--latency",
                "-s", script.name, url,
            ],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    if found := re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", out):
        raise SystemExit(f"{found.group(0)} from {url}\n{out}")
    return Rate(
        float(_found(r"Requests/sec:\s+([\d.]+)", out)[0]), _percentile("50", out), _percentile("99", out)
    )


def _found(pattern: str, out: str) -> tuple[str, ...]:
    found = re.search(pattern, out)
    assert found is not None, out
    return found.groups()


def _percentile(which: str, out: str) -> float:
    number, unit = _found(rf"{which}%\s+([\d.]+)(us|ms|s|m)\s", out)
    return float(number) * _SECONDS[unit]


@contextmanager
def api(
    python: str, url: str, folder: str, root: Path = ROOT, settings: Environment = NOTHING
) -> Iterator[Server]:
    """Atelier's API of this checkout with these settings, and with one job in its database."""
    key = subprocess.run(
        [sys.executable, str(TREE), "key", url],
        check=True, capture_output=True, text=True, env=tree_environment(root), cwd=root,
    ).stdout.strip()  # fmt: skip
    base = f"127.0.0.1:{own_port()}"
    environment = {"DATABASE_URL": url, "STORAGE_URL": f"file://{folder}/objects", "ATELIER_BIND": base}
    environment |= {"ATELIER_LOG_LEVEL": "warning", **settings}
    command = (python, "-m", "gunicorn", "-c", "python:api.gunicorn")
    with process(*command, root=root, environment=environment) as served:
        _answers(f"http://{base}/readyz")
        yield _with_item(served.pid, f"http://{base}", key, "/v1/jobs")


@contextmanager
def bare_flask(url: str) -> Iterator[Server]:
    """The baseline, on the same server with the same settings."""
    subprocess.run(
        [sys.executable, "-c", _TABLES],
        check=True, env=tree_environment(ROOT, {"DATABASE_URL": url}), cwd=ROOT,
    )  # fmt: skip
    base = f"127.0.0.1:{own_port()}"
    with process(
        sys.executable, "-m", "gunicorn", "scripts.bench.bare_flask:app", "--bind", base,
        "--worker-class", "gthread", "--workers", str(PROCESSES), "--threads", str(THREADS),
        "--worker-connections", "532", "--keep-alive", "75",
        "--log-level", "warning", "--worker-tmp-dir", "/dev/shm",
        environment={"DATABASE_URL": url},
    ) as served:  # fmt: skip
        _answers(f"http://{base}/")
        yield _with_item(served.pid, f"http://{base}", "none", "/things")


def _answers(url: str) -> None:
    for _ in range(300):
        try:
            if httpx.get(url).status_code < 500:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.1)
    raise SystemExit(f"nothing answers at {url}")


def _with_item(pid: int, base: str, key: str, collection: str) -> Server:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    made = httpx.post(base + collection, content=BODY, headers=headers, timeout=30).raise_for_status().json()
    return Server(pid, base, key, collection, f"{collection}/{made['id']}")
