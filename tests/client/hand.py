"""A worker played by hand beside a real API: it makes each job at once, with a progress report in between."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobs.database import Database
from jobs.store import JobRow, JobStore, NewArtifact, NewJob, NewPart
from storage.base import Storage
from storage.local import LocalStorage
from tests.api.helpers import picture

ENGINES = ["echo", "neural_style", "pipeline", "planets"]
#: The text of an echo job that fails.
FAILS = "fail"


class Hand:
    """Takes jobs of all queues until it is told to stop."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._store = JobStore(database)
        self._storage: Storage = LocalStorage(folder / "objects")
        self._stop = threading.Event()

    def run(self) -> None:
        while not self._stop.wait(0.02):
            for queue in ("cpu", "gpu"):
                for row in self._store.claim("wrk_hand", queue, engines=ENGINES, lease_seconds=60):
                    self._make(row)

    def stop(self) -> None:
        self._stop.set()

    def _make(self, row: JobRow) -> None:
        self._store.beat(row.id, row.attempt, lease_seconds=60, progress=0.5, message="half")
        if row.params.get("text") == FAILS:
            self._store.fail(row.id, row.attempt, code="out_of_memory", detail="Too large.")
            return
        if row.engine == "pipeline" and not row.parts:
            self._store.wait_for(row.id, row.attempt, [_part(row, stage) for stage in row.params["stages"]])
            return
        text = row.engine in ("echo", "pipeline")
        data = str(row.params.get("text")).encode() if text else picture(color="teal")
        name, media_type = ("echo.txt", "text/plain") if text else ("picture.png", "image/png")
        key = f"jobs/{row.id}/{row.attempt}/{name}"
        self._storage.put(key, io.BytesIO(data), media_type=media_type)
        sha256 = hashlib.sha256(data).hexdigest()
        made = NewArtifact(name=name, key=key, media_type=media_type, size=len(data), sha256=sha256)
        self._store.succeed(row.id, row.attempt, [made], device="cpu")


def _part(chain: JobRow, stage: dict[str, Any]) -> NewPart:
    """One echo for each stage, whatever it is to be; its name says whether that fails."""
    name = stage["name"]
    made = NewJob(owner_id=chain.owner_id, engine="echo", queue="cpu", params={"text": name}, seed=1)
    return NewPart(name, name, 0.9 / len(chain.params["stages"]), name, made)


@contextmanager
def at_work(database: Database, folder: Path) -> Iterator[None]:
    """A worker is there."""
    hand = Hand(database, folder)
    thread = threading.Thread(target=hand.run)
    thread.start()
    try:
        yield
    finally:
        hand.stop()
        thread.join()
