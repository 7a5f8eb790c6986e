"""The audit: rows and objects beside each other."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest

from cli import audit as auditing
from cli.audit import audit
from jobs.files import FileStore
from jobs.store import JobStore, NewArtifact, NewJob
from storage.memory import MemoryStorage
from tests.jobs.conftest import owner

NOW = timedelta(0)


class House:
    """A database and a store with things in them."""

    def __init__(self, database, storage):
        self.store = JobStore(database)
        self.files = FileStore(database)
        self.storage = storage
        self.owner_id = owner(database)

    def put(self, key):
        self.storage.put(key, io.BytesIO(b"abc"))
        return key

    def upload(self, *, stored=True):
        file_id = self.files.reserve()
        key = f"files/{file_id}/a.png"
        if stored:
            self.put(key)
        self.files.add(file_id, self.owner_id, NewArtifact("a.png", key, "image/png", 3, "0" * 64))
        return key

    def running(self):
        self.store.submit(NewJob(owner_id=self.owner_id, engine="e", queue="cpu", params={}, seed=1))
        (row,) = self.store.claim("wrk_1", "cpu", engines=["e"], lease_seconds=60)
        return row

    def succeeded(self):
        row = self.running()
        key = self.put(f"jobs/{row.id}/1/out/a.txt")
        self.store.succeed(row.id, 1, [NewArtifact("a.txt", key, "text/plain", 3, "0" * 64)])
        return row.id

    def audit(self, **more):
        return audit(self.files, self.storage, **{"grace": NOW} | more)


@pytest.fixture
def house(database):
    return House(database, MemoryStorage())


def test_where_all_is_well_it_finds_nothing(house):
    house.upload()
    house.succeeded()
    house.put("jobs/" + house.running().id + "/1/checkpoint")
    house.put("backups/of-somebody-else.tar")
    found = house.audit(repair=True)
    assert (found.orphans, found.missing, found.deleted) == ([], [], 0)
    assert (found.objects, found.bytes, found.rows) == (3, 9, 2), "what is not ours is not looked at"
    assert house.storage.stat("backups/of-somebody-else.tar")


def test_what_is_being_uploaded_is_left_alone_without_any_grace(house):
    # given an upload whose bytes are stored and whose row is not there yet
    file_id = house.files.reserve()
    key = house.put(f"files/{file_id}/a.png")

    found = house.audit(repair=True)

    assert (found.orphans, found.deleted) == ([], 0)
    house.files.add(file_id, house.owner_id, NewArtifact("a.png", key, "image/png", 3, "0" * 64))
    assert house.audit().missing == []


def test_a_job_that_ends_while_its_objects_are_looked_at_keeps_them(house):
    row = house.running()
    key = house.put(f"jobs/{row.id}/1/out/a.txt")
    look = house.files.unreferenced

    def look_and_end(keys):
        found = look(keys)
        house.store.succeed(row.id, 1, [NewArtifact("a.txt", key, "text/plain", 3, "0" * 64)])
        return found

    house.files.unreferenced = look_and_end
    assert house.audit(repair=True).orphans == []


def test_objects_without_a_row_are_found_and_with_repair_deleted(house, monkeypatch):
    monkeypatch.setattr(auditing, "AT_ONCE", 2)
    kept = house.upload()
    done = house.succeeded()
    orphans = sorted(
        house.put(key)
        for key in (
            f"jobs/{done}/1/out/late.txt",
            f"jobs/job_{'0' * 32}/3/a",
            "files/art_1/a.png",
            ".check/1",
        )
    )
    assert sorted(one.key for one in house.audit().orphans) == orphans
    assert house.storage.stat(orphans[0]), "without repair it only looks"

    found = house.audit(repair=True)
    assert (found.deleted, sorted(one.key for one in found.orphans)) == (4, orphans)
    assert sorted(one.key for one in house.storage.list("")) == sorted([kept, f"jobs/{done}/1/out/a.txt"])
    assert house.audit().orphans == []


def test_what_is_young_may_belong_to_what_goes_on(house):
    house.put("files/art_1/a.png")
    found = house.audit(grace=timedelta(hours=1), repair=True)
    assert (found.objects, found.orphans) == (1, [])


def test_rows_without_their_object_are_found(house, monkeypatch):
    monkeypatch.setattr(auditing, "AT_ONCE", 2)
    for _ in range(3):
        house.upload()
    missing = house.upload(stored=False)
    found = house.audit(repair=True)
    assert [key for _, key in found.missing] == [missing]
    assert found.rows == 4
    assert house.files.get(found.missing[0][0]).key == missing, "the row stays: whoever reads it is told"


def test_a_file_that_is_deleted_meanwhile_is_not_missing(house):
    gone = house.upload(stored=False)
    walk = house.files.walk

    def deleted_meanwhile(**more):
        rows = walk(**more)
        for row in rows:
            house.files.delete(row.id, None)
        return rows

    house.files.walk = deleted_meanwhile
    assert house.audit().missing == [], gone
