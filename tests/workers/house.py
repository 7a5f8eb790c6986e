"""A fleet of one's own for the tests: worker and sweeper processes around a database and a Redis."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

import engines
from fleet.store import FleetStore
from jobs.database import Database
from jobs.files import FileStore
from jobs.store import JobRow, JobStore, NewArtifact, NewJob
from queue_config import Doorbell, publisher_app
from storage.local import LocalStorage
from tests.jobs.conftest import owner
from tests.patience import PATIENCE


class House:
    """A worker fleet of one's own."""

    def __init__(self, database: Database, tmp_path: Path, redis, monkeypatch, **environment: str) -> None:
        self.store = JobStore(database)
        self.fleet = FleetStore(database)
        self.redis = redis
        self._database = database
        self._owner = owner(database)
        self.storage = LocalStorage(tmp_path / "objects")
        self.log_file = tmp_path / "processes.log"
        self._log = self.log_file.open("ab")
        self._environment = os.environ | {
            "DATABASE_URL": database.url.render_as_string(hide_password=False),
            "REDIS_URL": redis.url,
            "STORAGE_URL": f"file://{tmp_path}/objects",
            **environment,
        }
        monkeypatch.setenv("REDIS_URL", redis.url)
        self.doorbell = Doorbell(publisher_app())
        self.processes: list[subprocess.Popen[bytes]] = []

    def set(self, **environment: str) -> None:
        """What processes that are started from now on have in their environment."""
        self._environment |= environment

    def start(self, module: str, **environment: str) -> subprocess.Popen[bytes]:
        """A process of ours, in a group of its own as a shell or a container makes it."""
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            env=self._environment | environment,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def submit(self, seconds: float, *, ring: bool = True, of: str | None = None) -> str:
        """A job that sleeps; `of`: another owner."""
        row, _ = self.store.submit(
            NewJob(
                owner_id=of or self._owner, engine="echo", queue="cpu", seed=1,
                params={"seconds": seconds, "text": "x"},
            )
        )  # fmt: skip
        if ring:
            self.doorbell.wake("cpu")
        return str(row.id)

    def owner(self, name: str) -> str:
        """Another owner's id."""
        return owner(self._database, name)

    def upload(self, picture: Image.Image) -> str:
        """A picture as an input; its id."""
        files = FileStore(self._database)
        file_id, stream = files.reserve(), io.BytesIO()
        picture.save(stream, "PNG")
        key = f"files/{file_id}/picture.png"
        self.storage.put(key, io.BytesIO(stream.getvalue()), media_type="image/png")
        digest = hashlib.sha256(stream.getvalue()).hexdigest()
        made = NewArtifact("picture.png", key, "image/png", len(stream.getvalue()), digest)
        files.add(file_id, self._owner, made)
        return file_id

    def submit_style(self, content: str, style: str, **params: object) -> str:
        """A neural_style job."""
        spec = engines.spec("neural_style")
        given = spec.params.model_validate({"content": content, "style": [style], "seed": 7, **params})
        row, _ = self.store.submit(
            NewJob(
                owner_id=self._owner, engine="neural_style", queue=spec.queue, seed=7,
                params=given.model_dump(mode="json", exclude={"seed"}), inputs=[content, style],
                weights=spec.weights_for(given),
            )
        )  # fmt: skip
        self.doorbell.wake(spec.queue)
        return str(row.id)

    def picture(self, job_id: str) -> np.ndarray:
        """The pixels of a job's result."""
        (artifact,) = self.store.artifacts([job_id])[job_id]
        with self.storage.open(artifact.key) as stream:
            return np.asarray(Image.open(io.BytesIO(stream.read())).convert("RGB"), dtype=int)

    def until(self, job_id: str, *states: str, seconds: float = PATIENCE) -> JobRow:
        """Wait until the job is in one of these states."""
        give_up = time.monotonic() + seconds
        while (row := self.store.get(job_id)).state not in states:
            assert time.monotonic() < give_up, f"still {row.state} after {seconds} s"
            time.sleep(0.05)
        return row

    def until_progress(
        self, job_id: str, least: float, *, attempt: int = 1, seconds: float = PATIENCE
    ) -> float:
        """Wait until this attempt has come so far; how far it is."""
        give_up = time.monotonic() + seconds
        while (row := self.store.get(job_id)).attempt < attempt or row.progress < least:
            assert time.monotonic() < give_up, f"{row.state}, {row.progress} after {seconds} s"
            assert row.state in ("queued", "running"), row
            time.sleep(0.05)
        assert row.attempt == attempt
        return float(row.progress)

    def child(self) -> int:
        """The pid of the process that runs jobs."""
        give_up = time.monotonic() + PATIENCE
        while not (alive := self.fleet.alive()):
            assert time.monotonic() < give_up
            time.sleep(0.1)
        return int(alive[-1].pid)

    def signal_all(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        """Signal a worker's whole process group, as Ctrl-C does."""
        os.killpg(process.pid, number)

    def kill_all(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL a worker with its child, as a machine that loses power."""
        tree = psutil.Process(process.pid)
        for each in [*tree.children(recursive=True), tree]:
            each.kill()
        process.wait()

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=25)
            except subprocess.TimeoutExpired:
                self.kill_all(process)
        self._log.close()
