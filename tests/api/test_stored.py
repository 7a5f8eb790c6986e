"""What an owner may store: said at the door with how much is used, and never taken from a job that runs."""

from __future__ import annotations

import gzip
import io

import pytest

from jobs.store import NewArtifact
from tests.api.helpers import claim, data_uri, finish, picture, problem

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
