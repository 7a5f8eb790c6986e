"""What an owner may store: said at the door with how much is used, and never taken from a job that runs."""

from __future__ import annotations

import gzip
import io

import pytest
from sqlalchemy import insert

from accept import stored
from accept.quota import Quota
from accept.stored import Stored
from jobs.accounts import AccountStore
from jobs.errors import TooMuchStored
from jobs.files import FileStore
from jobs.models import Artifact, Network, NetworkFile
from jobs.store import JobStore, NewArtifact
from tests.api.helpers import claim, data_uri, finish, picture, problem
from tests.jobs.conftest import owner

SIZE = len(picture())


@pytest.fixture
def allow(api, admin):
    """Let ada store so many bytes."""
    owner_id = api.get("/v1/me").json["user_id"]

    def set_(size: int) -> None:
        answer = admin.request("PATCH", f"/v1/owners/{owner_id}", json={"max_stored_bytes": size})
        assert answer.json["limits"]["max_stored_bytes"] == size

    return set_


@pytest.fixture
def later(app):
    """Some seconds pass for sums that were remembered."""
    return lambda: app.extensions["atelier"].stored._sums.clear()


def used(api) -> int:
    return api.get("/v1/me").json["stored_bytes"]


def test_over_it_an_upload_is_refused_with_how_much_is_used(api, other, allow):
    allow(2 * SIZE + SIZE // 2)
    assert [api.upload().status_code for _ in range(2)] == [201, 201]
    found = problem(api.upload(), 409, "too_much_stored")
    assert (found["used"], found["allowed"]) == (2 * SIZE, 2 * SIZE + SIZE // 2)
    assert f"{2 * SIZE:,} bytes of the {2 * SIZE + SIZE // 2:,}" in found["detail"]
    assert used(api) == 2 * SIZE
    # and nothing of it is left, and nobody else is refused
    assert len(api.get("/v1/files").json["files"]) == 2
    assert other.upload().status_code == 201


def test_what_is_deleted_makes_room(api, allow, later):
    allow(SIZE)
    first = api.upload().json["id"]
    problem(api.upload(), 409, "too_much_stored")
    api.delete(f"/v1/files/{first}")
    later()
    assert api.upload().status_code == 201


def test_who_has_no_room_submits_no_jobs(api, allow):
    job_id = api.job_id()
    api.post(f"/v1/jobs/{job_id}/cancel")
    allow(SIZE)
    api.upload()
    for answer in (
        api.submit(),
        api.post("/v1/jobs?dry_run=true", json={"engine": "echo"}),
        api.post(f"/v1/jobs/{job_id}/retry"),
        api.post("/v1/networks?name=n", data=b"\x80\x02.", content_type="application/octet-stream"),
    ):
        problem(answer, 409, "too_much_stored")


def test_the_files_of_a_job_count_before_they_are_kept(api, allow, storage):
    allow(SIZE)
    params = {"content": data_uri(picture()), "style": data_uri(picture(color="red"))}
    answer = api.post("/v1/jobs", json={"engine": "neural_style", "params": params})
    problem(answer, 409, "too_much_stored")
    assert used(api) == 0
    assert list(storage.list("files")) == []


def test_a_packed_network_counts_as_what_comes_out(api, allow):
    allow(100_000)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/octet-stream"}
    packed = gzip.compress(b"\x80\x04" + bytes(1_000_000))
    problem(api.post("/v1/networks?name=n", data=packed, headers=headers), 409, "too_much_stored")
    assert all(one["shipped"] for one in api.get("/v1/networks").json["networks"])
    assert api.get("/v1/files").json["files"] == []
    assert used(api) == 0


def test_results_of_a_job_that_was_accepted_are_never_lost(api, allow, store, storage, later):
    allow(SIZE)
    job_id = api.job_id()
    api.upload()
    row = claim(store)
    storage.put(f"jobs/{row.id}/1/big.txt", io.BytesIO(bytes(10 * SIZE)), media_type="text/plain")
    made = NewArtifact("big.txt", f"jobs/{row.id}/1/big.txt", "text/plain", 10 * SIZE, "0" * 64)
    store.succeed(row.id, row.attempt, [made], device="cpu")
    assert len(api.get(f"/v1/jobs/{job_id}").json["artifacts"]) == 1
    later()
    assert used(api) == 11 * SIZE
    problem(api.submit(), 409, "too_much_stored")


def test_a_repeated_request_is_answered_however_full_it_is(api, allow, store, storage):
    allow(SIZE)
    key = {"Idempotency-Key": "k"}
    first = api.submit(headers=key)
    finish(store, storage, bytes(2 * SIZE))
    assert api.submit(headers=key).json["id"] == first.json["id"]


# --- the sum, apart from HTTP ------------------------------------------------------------------------


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ada(database):
    owner_id = owner(database)
    AccountStore(database).set_limits(owner_id, {"max_stored_bytes": 1600})
    return owner_id


@pytest.fixture
def process(database, clock):
    """The sums of one API process; `sums` counts how often it added up."""
    files = FileStore(database)
    made = Stored(files, Quota(JobStore(database), AccountStore(database), clock), clock)
    made.sums = 0
    adding = files.stored_bytes

    def counted(owner_id):
        made.sums += 1
        return adding(owner_id)

    files.stored_bytes = counted
    return made


def keep(database, owner_id: str, *sizes: int) -> None:
    """Files that somebody else, another process or a worker, has stored."""
    rows = [
        {"id": f"art_{owner_id[-8:]}{n:024x}", "owner_id": owner_id, "name": "x", "key": f"files/{n}/x"}
        | {"media_type": "image/png", "size": size, "sha256": "0" * 64}
        for n, size in enumerate(sizes)
    ]
    database.write(lambda c: c.execute(insert(Artifact), rows))


def test_uploads_results_and_networks_are_one_sum(database, ada):
    bob = owner(database, "bob")
    keep(database, ada, 100, 20)
    keep(database, bob, 7)
    files = FileStore(database)
    assert (files.stored_bytes(ada), files.stored_bytes(bob)) == (120, 7)

    file = {"sha256": "a" * 64, "key": "jobs/1/1/n", "size": 5000}
    network = {
        "kind": "stylegan",
        "state": "ready",
        "upload_sha256": "b" * 64,
        "upload_size": 9,
        "job_id": "job_1",
    }
    theirs = [
        network | {"id": f"net_{name}", "owner_id": who, "name": name, "sha256": file["sha256"]}
        for name, who in (("one", ada), ("two", bob))
    ]
    database.write(lambda c: (c.execute(insert(NetworkFile), [file]), c.execute(insert(Network), theirs)))
    assert (files.stored_bytes(ada), files.stored_bytes(bob)) == (5120, 5007)
    assert files.stored_bytes("usr_nobody") == 0


def test_it_adds_up_seldom_and_is_exact_for_what_it_let_in(process, clock, ada):
    for _ in range(16):
        process.check(ada, 100)
    with pytest.raises(TooMuchStored):
        process.check(ada, 100)
    assert process.sums == 1
    # none of it came to be stored, as a second later is seen
    clock.now += stored.FULL_TTL
    process.check(ada, 100)
    assert process.sums == 2


def test_what_others_stored_is_seen_before_the_room_is_gone(process, database, clock, ada):
    process.check(ada, 100)
    keep(database, ada, 1500)
    process.check(ada, 100)  # by the old sum
    clock.now += stored.FULL_TTL
    with pytest.raises(TooMuchStored) as refused:
        process.check(ada, 101)
    assert refused.value.extra == {"used": 1500, "allowed": 1600}
    clock.now += stored.TTL
    process.check(ada, 100)


def test_without_a_limit_nothing_is_added_up(process, database, ada):
    AccountStore(database).set_limits(ada, {"max_stored_bytes": 0})
    process.check(ada, 10**15)
    process.check("usr_nobody", 1)
    assert process.sums == 0
