"""Networks on a worker's disk: fetched once, verified, never taken from who uses them; and in a job."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import Field

from engines.base import EngineError, Output, Params
from jobs.files import FileStore
from jobs.networks import NetworkStore, NewNetwork
from jobs.store import NewArtifact, NewJob
from queue_config import Doorbell
from storage.base import StorageUnavailable
from storage.local import LocalStorage
from tests.workers.conftest import Bench
from workers.networks import NetworkCache, NetworkDamaged, NoRoomForNetworks
from workers.sweep import Sweeper

SIZE = 1000


def network(number: int) -> bytes:
    return bytes([number]) * SIZE


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Counting(LocalStorage):
    """Counts how often something is read, and lets a test hold that up."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened = 0
        self.gate = threading.Event()
        self.gate.set()

    def open(self, key, start=0, end=None):
        self.opened += 1
        self.gate.wait(60)
        return super().open(key, start, end)


@pytest.fixture
def store(tmp_path) -> Counting:
    made = Counting(tmp_path / "store")
    for number in range(6):
        made.put(f"n/{number}", io.BytesIO(network(number)))
    return made


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "kept"


@pytest.fixture
def cache(folder) -> NetworkCache:
    """Room for three."""
    return NetworkCache(folder, 3 * SIZE)


def hold(cache, store, number, size=SIZE):
    return cache.hold(digest(network(number)), f"n/{number}", size, store)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def test_it_is_fetched_once_and_is_what_it_should_be(cache, store, folder):
    for _ in range(3):
        kept = hold(cache, store, 1)
        assert kept.path.read_bytes() == network(1)
        kept.release()
        kept.release()
    assert store.opened == 1
    assert names(folder) == {f"{digest(network(1))}.safetensors"}
    assert folder.stat().st_mode & 0o077 == 0


def test_what_was_used_longest_ago_goes_first(cache, store, folder):
    for number in (0, 1, 2):
        kept = hold(cache, store, number)
        os.utime(kept.path, (number, number))
        kept.release()
    hold(cache, store, 0).release()
    hold(cache, store, 3).release()
    assert names(folder) == {f"{digest(network(n))}.safetensors" for n in (0, 2, 3)}


def test_what_is_in_use_stays_whatever_the_budget(cache, store, folder):
    held = [hold(cache, store, number) for number in range(5)]
    assert all(kept.path.exists() for kept in held)
    held[0].release()
    held[1].release()
    hold(cache, store, 5).release()
    assert names(folder) == {f"{digest(network(n))}.safetensors" for n in (2, 3, 4, 5)}
    for kept in held:
        kept.release()


def test_another_process_s_use_counts_too(cache, store):
    first = hold(cache, store, 0)
    program = (
        "import fcntl, os, sys\n"
        "fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_SH)\n"
        "print('held', flush=True)\nsys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(first.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout.readline() == "held\n"
        first.release()
        for number in (1, 2, 3):
            hold(cache, store, number).release()
        assert first.path.exists()
        other.kill()  # what it held is free
    hold(cache, store, 4).release()
    assert not first.path.exists()


def test_many_at_once_fetch_it_once(folder, store):
    # each worker process has a cache of its own over the one folder
    store.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        coming = [pool.submit(hold, NetworkCache(folder, 3 * SIZE), store, 1) for _ in range(8)]
        store.gate.set()
        kept = [one.result(60) for one in coming]
    assert store.opened == 1
    assert {one.path.read_bytes() for one in kept} == {network(1)}
    for one in kept:
        one.release()


def test_many_different_ones_at_once_under_a_small_budget(folder, store):
    def work(n: int) -> None:
        kept = hold(NetworkCache(folder, SIZE), store, n % 6)
        try:
            assert kept.path.read_bytes() == network(n % 6)
        finally:
            kept.release()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(60)))
    hold(NetworkCache(folder, SIZE), store, 0).release()
    assert len([name for name in names(folder) if name.endswith(".part")]) == 0


@pytest.mark.parametrize("stored", [b"", network(0)[:-1], network(0) + b"x", network(9)])
def test_what_the_store_has_wrong_is_refused_and_not_kept(cache, store, folder, stored):
    store.put("n/0", io.BytesIO(stored))
    with pytest.raises(NetworkDamaged):
        hold(cache, store, 0)
    assert names(folder) == set()
    store.put("n/0", io.BytesIO(network(0)))
    hold(cache, store, 0).release()


def test_what_was_damaged_on_the_disk_is_fetched_again(cache, store, folder):
    path = hold(cache, store, 0).path
    path.write_bytes(b"x" * SIZE)
    later = NetworkCache(folder, 3 * SIZE)  # another process
    kept = hold(later, store, 0)
    assert kept.path.read_bytes() == network(0)
    kept.release()


def test_a_disk_that_fails_leaves_no_lock_behind(cache, store, folder, monkeypatch):
    kept = hold(cache, store, 0)
    kept.release()
    monkeypatch.setattr("workers.networks.hashlib.file_digest", failing)
    with pytest.raises(NoRoomForNetworks, match="Input/output"):
        hold(NetworkCache(folder, 3 * SIZE), store, 0)
    with kept.path.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def failing(*_given):
    raise OSError(errno.EIO, "Input/output error")


def test_what_a_dead_process_left_half_is_removed(cache, store, folder):
    hold(cache, store, 0).release()
    left = [folder / f"{digest(network(n))}.part" for n in (1, 2)]
    for path in left:
        path.write_bytes(b"half")
    hold(cache, store, 1).release()
    assert names(folder) == {f"{digest(network(n))}.safetensors" for n in (0, 1)}


def test_what_is_not_there_and_a_store_that_is_away_are_told_apart(cache, store, monkeypatch):
    with pytest.raises(FileNotFoundError):
        cache.hold("0" * 64, "n/none", SIZE, store)

    def away(*_args):
        raise StorageUnavailable("away")

    monkeypatch.setattr(store, "open", away)
    with pytest.raises(StorageUnavailable):
        hold(cache, store, 0)


def test_a_folder_that_cannot_be_used(tmp_path, store):
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NoRoomForNetworks):
            hold(NetworkCache(folder, SIZE), store, 0)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(NoRoomForNetworks):
        hold(NetworkCache(link, SIZE), store, 0)


# --- in a job -------------------------------------------------------------------------------------


class AnyParams(Params):
    """What the API pins and validates is any text here: a converter and a painter in one engine."""

    network: str = Field(default="none", description="A network, or the upload to convert.")


def converted(context, data: bytes) -> Output:
    """An output as a converter yields it."""
    path = context.scratch / "made"
    path.write_bytes(data)
    name = f"{digest(data)}.safetensors"
    return Output(name, "application/octet-stream", path, meta={"config": {"resolution": 8}})


class House(Bench):
    """A bench whose engine reverses uploads, and runs `paint` for everything else."""

    def __init__(self, database, storage, paint) -> None:
        def script(params, context):
            if params.network.startswith("art_"):
                yield converted(context, context.input(params.network).read_bytes()[::-1])
            else:
                yield from paint(params, context)

        super().__init__(database, storage, script)
        self._spec = replace(self._spec, params=AnyParams)
        self.networks = NetworkStore(database)

    def upload(self, data=b"\x80\x04 a pickle") -> str:
        """What `POST /v1/networks` does; the network's id."""
        file_id = FileStore(self.store.database).reserve()
        kept = self.storage.put(f"files/{file_id}/network.pkl", io.BytesIO(data))
        sent = NewArtifact("n.pkl", kept.key, "application/octet-stream", kept.size, digest(data))
        new = NewNetwork(self.owner_id, "flowers", "stylegan", False, file_id, sent)
        job = NewJob(
            owner_id=self.owner_id, engine="scripted", queue="cpu", params={"network": file_id}, seed=0
        )
        return str(self.networks.add(new, job)[0].id)

    def ready(self):
        """A network that was converted."""
        network_id = self.upload()
        self.runner.work()
        return self.networks.get(network_id)

    def submit_with(self, row) -> str:
        """A job that the API has pinned to this network."""
        return self.submit(new={"networks": [row.sha256]}, network=f"{row.id}@{row.sha256}")


@pytest.fixture
def house(sqlite_database, storage, tmp_path, monkeypatch):
    monkeypatch.setenv("ATELIER_NETWORKS_DIR", str(tmp_path / "networks"))
    return lambda paint: House(sqlite_database, storage, paint)


def use(params, context):
    yield Output("a.txt", "text/plain", context.network(params.network).read_bytes())


def test_a_network_from_its_upload_to_a_picture_and_its_end(house, tmp_path):
    def paint(params, context):
        paths.append(context.network(params.network))
        assert context.network(params.network) == paths[0]
        yield from use(params, context)

    paths: list[Path] = []
    made = house(paint)
    sweeper = Sweeper(made.store.database, made.storage, Doorbell())
    row = made.ready()
    assert (row.state, row.config) == ("ready", {"resolution": 8})
    (file,) = made.networks.walk()
    assert file.key.endswith(f"/out/{row.sha256}.safetensors")
    sweeper.clean()
    assert [info.key for info in made.storage.list("")] == [file.key], "what was uploaded is gone"
    # when a job was accepted with it, and it is deleted before that one runs
    job_id = made.submit_with(row)
    made.networks.delete(row.id, made.owner_id)
    sweeper.expire()
    sweeper.clean()
    made.runner.work()
    (artifact,) = made.store.artifacts([job_id])[job_id]
    with made.storage.open(artifact.key) as source:
        assert source.read() == b"\x80\x04 a pickle"[::-1]
    assert paths[0].parent == tmp_path / "networks"
    # then nothing of it stays but the picture
    Sweeper(made.store.database, made.storage, Doorbell()).expire()
    sweeper.clean()
    assert [info.key for info in made.storage.list("")] == [artifact.key]


@pytest.mark.parametrize("ref", [f"net_{'0' * 32}@{'0' * 64}", "flowers"])
def test_an_engine_gets_only_what_its_job_was_accepted_with(house, ref):
    job = house(use).run(network=ref)
    assert (job.state, job.error_code) == ("failed", "network_gone")


def test_a_stored_network_that_is_damaged_is_tried_again_and_one_that_is_gone_is_not(house):
    made = house(use)
    row = made.ready()
    (file,) = made.networks.walk()
    made.storage.put(file.key, io.BytesIO(bytes(file.key.encode())))
    job_id = made.submit_with(row)
    made.runner.work()
    job = made.store.get(job_id)
    assert (job.state, job.error_code, job.failures) == ("queued", "network_damaged", 1)
    made.storage.delete(file.key)
    job_id = made.submit_with(row)
    made.runner.work()
    job = made.store.get(job_id)
    assert (job.state, job.error_code) == ("failed", "network_gone")


def test_a_conversion_that_fails_says_why(house):
    class BadNetwork(EngineError):
        """As the reader raises it."""

        code = "bad_network"

    def refuse(_params, _context):
        raise BadNetwork("This pickle would run code.")
        yield

    made = house(use)
    made.engine._script = refuse
    row = made.ready()
    said = (row.state, row.error_code, row.error_detail)
    assert said == ("failed", "bad_network", "This pickle would run code.")


def test_a_job_that_is_canceled_while_its_network_comes_stops_at_once(house, monkeypatch):
    made = house(use)
    row = made.ready()
    coming, ended = threading.Event(), threading.Event()
    whole = made.storage.open

    def drip(*given):
        coming.set()
        ended.wait(60)
        return whole(*given)

    monkeypatch.setattr(made.storage, "open", drip)
    job_id = made.submit_with(row)
    worker = threading.Thread(target=made.runner.work)
    worker.start()
    assert coming.wait(60)
    # when
    made.store.cancel(job_id, None)
    worker.join(60)
    # then
    assert made.store.get(job_id).state == "canceled"
    ended.set()
