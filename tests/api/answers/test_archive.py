"""A job's results as one ZIP, streamed."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime

import pytest

from api.answers.archive import CHUNK, Entry, archive, distinct, length
from jobs.store import NewArtifact
from tests.api.helpers import claim, finish, problem

AT = datetime(2026, 11, 27, 12, tzinfo=UTC)


def entry(name, data):
    return Entry(name, len(data), lambda: io.BytesIO(data))


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


def test_it_is_written_piece_by_piece():
    """Never more than a piece of a file is there at once, and nothing is read before it is asked for."""
    opened = []

    class Zeros(io.RawIOBase):
        left = 200 * CHUNK

        def read(self, size=-1):
            assert size == CHUNK
            self.left -= size
            return b"\0" * size if self.left >= 0 else b""

    def read():
        opened.append(1)
        return Zeros()

    entries = [Entry(f"{n}.bin", 200 * CHUNK, read) for n in range(3)]
    pieces = archive(entries, AT)
    sizes = [len(next(pieces))]
    assert opened == [1]
    sizes += map(len, pieces)
    assert max(sizes) < CHUNK + 1000
    assert sum(sizes) == length(entries, AT)


@pytest.mark.parametrize(
    "entries", [[], [entry("a", b"")], [entry("ż.png", b"x"), entry("b" * 200, b"y" * 70_000)]]
)
def test_the_length_is_known_before(entries):
    assert length(entries, AT) == sum(map(len, archive(entries, AT)))


def test_of_very_large_files_no_length_is_promised():
    assert length([Entry("a", 3 * 2**30, io.BytesIO)], AT) is None


def test_a_file_that_is_not_as_recorded_breaks_it_off():
    with pytest.raises(ValueError, match="recorded"):
        list(archive([Entry("a", 5, lambda: io.BytesIO(b"four"))], AT))


def test_names_are_plain_and_each_there_once():
    names = ["a.png", "../../A.png", "a.png", "job.json", "..", "x\\y\\a.png"]
    assert distinct(names, ["job.json"]) == [
        "a.png", "A-2.png", "a-3.png", "job-2.json", "result", "a-4.png",
    ]  # fmt: skip
