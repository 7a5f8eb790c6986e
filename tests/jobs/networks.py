"""Uploads of networks and their conversions, played by hand."""

from __future__ import annotations

import hashlib

from jobs.files import FileStore
from jobs.networks import NetworkStore, NewNetwork
from jobs.store import NewArtifact, NewJob
from tests.jobs.conftest import owner

CONFIG = {"resolution": 64, "channels": 3, "classes": 0, "z_dim": 64, "w_dim": 64}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class House:
    """Uploads and conversions played by hand."""

    def __init__(self, store) -> None:
        self.store = store
        self.files = FileStore(store.database)
        self.networks = NetworkStore(store.database)
        self.ada = owner(store.database)
        self.bob = owner(store.database, "bob")

    def add(self, name="flowers", data="flowers", *, of=None, shared=False):
        file_id = self.files.reserve()
        key = f"files/{file_id}/network.pkl"
        upload = NewArtifact(
            f"{name}.pkl", key, "application/octet-stream", len(data), digest(f"upload of {data}")
        )
        owner_id = of or self.ada
        job = NewJob(owner_id=owner_id, engine="converter", queue="cpu", params={}, seed=0)
        return self.networks.add(NewNetwork(owner_id, name, "stylegan", shared, file_id, upload), job)

    def claim(self, engine="converter"):
        (job,) = self.store.claim("wrk_1", "cpu", engines=[engine], lease_seconds=60)
        return job

    def succeed(self, job, data="flowers"):
        sha256 = digest(data)
        key = f"jobs/{job.id}/{job.attempt}/out/{sha256}.safetensors"
        file = NewArtifact("n", key, "application/octet-stream", len(data), sha256, meta={"config": CONFIG})
        self.store.succeed(job.id, job.attempt, [file])
        return key

    def ready(self, name="flowers", data="flowers", **more):
        row, _ = self.add(name, data, **more)
        self.succeed(self.claim(), data)
        return self.networks.get(row.id)

    def painting(self, network, owner_id=None):
        """A job that was accepted with this network."""
        new = NewJob(
            owner_id=owner_id or self.ada, engine="painter", queue="cpu", params={}, seed=1,
            networks=[network.sha256, network.sha256],
        )  # fmt: skip
        return self.store.submit(new)[0]

    def due(self):
        return {row.prefix for row in self.files.due_cleanups()}
