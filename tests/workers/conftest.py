"""A runner with engines of the test's own, on a real database and a real store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from pydantic import Field

from engines.base import EngineError, EngineSpec, ImageRef, Output, Params
from jobs.database import Database
from jobs.store import JobRow, JobStore, NewJob
from storage.base import Storage
from storage.local import LocalStorage
from tests.jobs.conftest import owner
from workers.house import House
from workers.runner import Runner


class TestParams(Params):
    """One number, one optional picture."""

    n: float = Field(default=0, description="A number.")
    picture: ImageRef | None = Field(default=None, description="A picture.")


class ScriptedEngine:
    """Runs the generator function the test gives it, and counts how often it was set up."""

    device = "test device"

    def __init__(self, script) -> None:
        self._script = script
        self.setups = 0

    def setup(self) -> None:
        self.setups += 1

    def run(self, params, context) -> Iterator[Output]:
        return self._script(params, context)

    def run_batch(self, items) -> Iterator[tuple[int, Output | EngineError]]:
        return self.together(items)


class Bench:
    """One owner, one engine, one runner."""

    def __init__(self, database: Database, storage: Storage, script, **spec) -> None:
        self.store = JobStore(database)
        self.storage = storage
        self.owner_id = owner(database)
        self.engine = ScriptedEngine(script)
        self._spec = EngineSpec(
            name="scripted",
            title="",
            description="",
            produces=("text/plain",),
            example={},
            queue="cpu",
            **{"params": TestParams} | spec,
        )
        self.house = House.of(database, storage)
        self.move_in()

    def move_in(self, **services) -> None:
        """Another worker, with these services in place of the house's own."""
        self.house = replace(self.house, **services)
        self.runner = Runner(self.house, worker_id="wrk_1", queues=["cpu"], catalogue=self)

    def names(self):
        return ("scripted",)

    def spec(self, _name):
        return self._spec

    def load(self, _name):
        self.engine.setup()
        return self.engine

    def submit(self, inputs=(), new=(), **params) -> str:
        row, _ = self.store.submit(
            NewJob(
                **{
                    "owner_id": self.owner_id,
                    "engine": "scripted",
                    "queue": "cpu",
                    "params": params,
                    "seed": 7,
                    "inputs": inputs,
                }
                | dict(new)
            )
        )
        return str(row.id)

    def run(self, inputs=(), **params) -> JobRow:
        """Submit one job and work until the queue is empty; the job as it is then."""
        job_id = self.submit(inputs, **params)
        self.runner.work()
        return self.store.get(job_id)


@pytest.fixture
def storage(tmp_path) -> Storage:
    return LocalStorage(tmp_path / "objects")


@pytest.fixture
def bench(sqlite_database: Database, storage: Storage) -> Callable[..., Bench]:
    """Builds a Bench around a script; further arguments go to the EngineSpec."""
    return lambda script, **spec: Bench(sqlite_database, storage, script, **spec)
