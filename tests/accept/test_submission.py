"""A job made without any app: once for each key, run by a worker, and no files of what came to nothing."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import pytest

import engines
from accept import Means, Request, earlier_job, fingerprint_of, submit
from engines.base import Output
from jobs.errors import IdempotencyConflict, NotFound
from jobs.store import JobStore
from storage.base import StorageUnavailable
from storage.memory import MemoryStorage
from tests.accept.conftest import files_of
from tests.api.helpers import data_uri, picture
from tests.jobs.conftest import owner
from tests.workers.conftest import Bench


def test_a_job_made_here_is_run_by_a_worker(sqlite_database, monkeypatch):
    # given: an engine that gives its picture back, and a request that brings one
    def script(params, context):
        yield Output("same.png", "image/png", context.input(params.picture).read_bytes())

    bench = Bench(sqlite_database, MemoryStorage(), script, cost=lambda params: params.n)
    monkeypatch.setattr(engines, "spec", bench.spec)
    means = Means.build(bench.store, bench.storage)
    # when
    row, made = submit(
        means, Request(bench.owner_id, "scripted", {"n": 3, "picture": data_uri(picture())}), request_id="r"
    )
    bench.runner.work()
    # then
    assert made
    assert (row.engine, row.queue, row.cost, row.request_id) == ("scripted", "cpu", 3.0, "r")
    done = means.jobs.get(row.id)
    assert done.state == "succeeded", done.error_detail
    (artifact,) = means.jobs.artifacts([row.id])[row.id]
    with bench.storage.open(artifact.key) as stream:
        assert stream.read() == picture()


def test_one_key_with_one_request_is_one_job(means, ada):
    def ask(text: str, of: str = ada):
        return submit(means, Request(of, "echo", {"text": text}), key="k")

    (first, made), (second, again) = ask("a"), ask("a")
    assert (made, again) == (True, False)
    assert first.id == second.id
    with pytest.raises(IdempotencyConflict):
        ask("b")
    theirs, made = ask("b", owner(means.jobs.database, "bob"))
    assert made
    assert theirs.id != first.id


def test_a_repeat_is_not_looked_at_again(means, ada, monkeypatch):
    """It may name what is gone by now, and wait where nobody else may."""
    row, _ = submit(means, Request(ada, "echo", {}), key="k")
    monkeypatch.setattr("accept.prepared.Request.prepare", None)
    assert submit(means, Request(ada, "echo", {}), key="k")[0].id == row.id


def test_many_at_once_with_one_key_are_one_job_and_its_files(means, ada):
    def ask(_):
        params = {"content": data_uri(picture()), "style": "https://example.com/b.png"}
        return submit(means, Request(ada, "neural_style", params), key="race")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(16)))
    assert len({row.id for row, _ in answers}) == 1
    assert sum(made for _, made in answers) == 1
    assert len(files_of(means, ada)) == 1


def test_a_key_remembers_what_its_caller_says(means, ada):
    fingerprint = fingerprint_of("schedule", {"id": 7})
    assert earlier_job(means.jobs, ada, "s", fingerprint) is None
    row, _ = submit(means, Request(ada, "echo", {}), key="s", fingerprint=fingerprint)
    found = earlier_job(means.jobs, ada, "s", fingerprint)
    assert found is not None
    assert found.id == row.id
    with pytest.raises(IdempotencyConflict):
        earlier_job(means.jobs, ada, "s", fingerprint_of("schedule", {"id": 8}))


class Full(MemoryStorage):
    """Takes one object and no more."""

    def put(self, *args, **more):
        if list(self.list("")):
            raise StorageUnavailable("away")
        return super().put(*args, **more)


def test_a_store_that_goes_away_between_two_files_keeps_neither(database, ada):
    means = Means.build(JobStore(database), Full())
    uploads = [(name, f"{name}.png", io.BytesIO(picture())) for name in ("content", "style")]
    with pytest.raises(StorageUnavailable):
        submit(means, Request(ada, "neural_style", {}, uploads))
    assert files_of(means, ada) == []
    assert means.jobs.page(ada, limit=1) == []


def test_a_file_deleted_meanwhile_is_said_and_nothing_is_left(means, ada, style, monkeypatch):
    def gone(_new):
        raise NotFound

    monkeypatch.setattr(means.jobs, "submit", gone)
    with pytest.raises(NotFound):
        submit(means, style(content=data_uri(picture())))
    assert files_of(means, ada) == []
