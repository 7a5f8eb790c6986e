"""A job's results as one ZIP, over HTTP."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from jobs.store import NewArtifact
from tests.api.helpers import claim, finish, problem


@pytest.fixture
def done(api, store, storage):
    """Makes a job that succeeded with these files."""

    def make(**files):
        job_id = api.job_id()
        row = claim(store)
        made = []
        for number, (name, data) in enumerate(files.items()):
            key = f"jobs/{row.id}/{row.attempt}/out/{number}"
            storage.put(key, io.BytesIO(data))
            made.append(NewArtifact(name.replace("_", "."), key, "image/png", len(data), "0" * 64))
        store.succeed(row.id, row.attempt, made, device="cpu")
        return job_id

    return make


def test_it_has_every_result_and_the_job(api, done):
    job_id = done(a_png=b"first", b_png=b"second" * 100_000)
    answer = api.get(f"/v1/jobs/{job_id}/archive")
    assert answer.status_code == 200
    assert answer.content_type == "application/zip"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{job_id}.zip"'
    assert answer.content_length == len(answer.data)
    with zipfile.ZipFile(io.BytesIO(answer.data)) as made:
        assert made.testzip() is None
        assert {i.compress_type for i in made.infolist()} == {zipfile.ZIP_STORED}
        assert made.read("a.png") == b"first"
        assert made.read("b.png") == b"second" * 100_000
        job = json.loads(made.read("job.json"))
    assert (job["id"], job["state"]) == (job_id, "succeeded")
    assert [artifact["url"] for artifact in job["artifacts"]] == ["a.png", "b.png"]
    assert "signature" not in json.dumps(job)


def test_a_head_says_how_long_it_is_and_reads_nothing(api, done, storage, monkeypatch):
    job_id = done(a_png=b"x" * 1000)
    size = len(api.get(f"/v1/jobs/{job_id}/archive").data)
    monkeypatch.setattr(storage, "open", lambda *_: pytest.fail("read"))
    head = api.request("HEAD", f"/v1/jobs/{job_id}/archive")
    assert (head.status_code, head.content_length, head.data) == (200, size, b"")


def test_what_has_no_results_says_why(api, other, admin, store, storage, done):
    waiting = api.job_id()
    assert "queued" in problem(api.get(f"/v1/jobs/{waiting}/archive"), 409, "wrong_state")["detail"]
    api.post(f"/v1/jobs/{waiting}/cancel")
    assert "canceled" in problem(api.get(f"/v1/jobs/{waiting}/archive"), 409, "wrong_state")["detail"]
    problem(api.get(f"/v1/jobs/{done()}/archive"), 404, "not_found")
    job_id = api.job_id()
    row = finish(store, storage)
    problem(other.get(f"/v1/jobs/{job_id}/archive"), 404, "not_found")
    assert admin.get(f"/v1/jobs/{job_id}/archive").status_code == 200
    storage.delete_all(f"jobs/{row.id}")
    problem(api.get(f"/v1/jobs/{job_id}/archive"), 410, "gone")
