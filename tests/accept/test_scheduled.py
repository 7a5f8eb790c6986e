"""A schedule's job: looked at when the schedule is made, and one for each key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

import engines
from accept import Means, check_scheduled, make_scheduled
from accept.wire import JobOptions
from jobs.errors import BadFile, BadSchedule, EngineNotFound, InvalidBody, InvalidParams, WeightsMissing
from jobs.files import FileStore
from jobs.models import Schedule
from jobs.states import Priority
from jobs.store import JobStore, NewArtifact
from schedules.keys import of_due_time
from schedules.store import ScheduleStore
from storage.memory import MemoryStorage
from tests.api.helpers import data_uri, picture
from tests.schedules.conftest import DAILY, NOON, Bench
from tests.workers.conftest import Bench as Workers

NOTHING = "art_" + "0" * 32


@pytest.fixture
def scripted(sqlite_database, monkeypatch):
    """An engine that takes a picture and needs no weights."""
    workers = Workers(sqlite_database, MemoryStorage(), lambda *_: iter(()))
    monkeypatch.setattr(engines, "spec", workers.spec)
    return Means.build(workers.store, workers.storage), workers.owner_id


@pytest.fixture
def bench(database) -> Bench:
    return Bench(database)


def check(means, owner_id, engine="echo", params=None, **options):
    return check_scheduled(means, owner_id, engine, params or {}, JobOptions(**options))


def test_the_files_that_it_reads_are_told_and_nothing_is_made(scripted):
    means, owner_id = scripted
    file_id = means.files.reserve()
    stored = NewArtifact("a.png", f"files/{file_id}/a.png", "image/png", 1, "0" * 64)
    FileStore(means.jobs.database).add(file_id, owner_id, stored)

    assert check(means, owner_id, "scripted", {"picture": file_id}) == [file_id]
    assert check(means, owner_id, "scripted", {"picture": "https://example.com/of-the-day.png"}) == []
    assert means.jobs.page(owner_id) == []


def test_what_could_not_be_submitted_is_refused(scripted):
    means, owner_id = scripted
    with pytest.raises(InvalidParams):
        check(means, owner_id, "scripted", {"m": 1})
    with pytest.raises(BadFile):
        check(means, owner_id, "scripted", {"picture": NOTHING})


def test_an_engine_that_there_is_not_is_refused(lite, eve):
    with pytest.raises(EngineNotFound):
        check(lite, eve, "nothing")


def test_weights_that_nobody_has_are_missed_at_once(lite, eve, monkeypatch, tmp_path):
    monkeypatch.setenv("ATELIER_WEIGHTS_DIR", str(tmp_path))
    urls = {"content": "https://example.com/a.png", "style": "https://example.com/b.png"}
    with pytest.raises(WeightsMissing):
        check(lite, eve, "neural_style", urls | {"method": "gatys"})


def test_a_file_that_comes_along_and_a_deadline_are_refused(scripted):
    means, owner_id = scripted
    with pytest.raises(BadSchedule, match="POST /v1/files"):
        check(means, owner_id, "scripted", {"picture": data_uri(picture())})
    with pytest.raises(BadSchedule, match="start_by"):
        check(means, owner_id, "scripted", start_by=NOON)


def test_an_owner_whose_jobs_wait_may_make_a_schedule(lite, eve, monkeypatch):
    monkeypatch.setattr(lite.quota, "check", lambda _owner: pytest.fail("it makes no job"))
    assert check(lite, eve) == []


def test_one_key_makes_one_job_whoever_uses_it(bench: Bench):
    # given
    means = Means.build(JobStore(bench.database), MemoryStorage())
    row = bench.create(options={"priority": "high", "tags": ["daily"]})
    key = of_due_time(row.id, NOON)
    # when
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: make_scheduled(means, row, key), range(8)))
    # then
    assert len({job.id for job, _ in found}) == 1
    assert [made for _, made in found].count(True) == 1
    (job,) = means.jobs.page(bench.owner_id)
    assert (job.engine, job.params["text"], job.priority, job.tags) == (
        "echo",
        "hi",
        Priority.HIGH,
        ["daily"],
    )


def test_a_schedule_that_was_changed_makes_no_second_job_of_a_due_time(bench: Bench):
    means = Means.build(JobStore(bench.database), MemoryStorage())
    row = bench.create()
    first, _ = make_scheduled(means, row, of_due_time(row.id, NOON))

    changed = bench.store.change(
        row.id, bench.owner_id, DAILY.__class__(**vars(DAILY) | {"params": {}}), NOON
    )
    again, made = make_scheduled(means, changed, of_due_time(row.id, NOON))
    assert (again.id, made) == (first.id, False)


def test_a_seed_is_drawn_for_each_unless_the_params_name_one(bench: Bench):
    means = Means.build(JobStore(bench.database), MemoryStorage())
    drawn, named = bench.create(), bench.create(params={"seed": 7})

    def seeds(row):
        times = (NOON.replace(day=day) for day in (1, 2, 3))
        return {make_scheduled(means, row, of_due_time(row.id, at))[0].seed for at in times}

    assert len(seeds(drawn)) == 3
    assert seeds(named) == {7}


def test_options_that_are_none_any_more_are_refused(bench: Bench):
    means = Means.build(JobStore(bench.database), MemoryStorage())
    row = bench.create()
    spoiling = update(Schedule).where(Schedule.id == row.id).values(options={"hurry": True})
    bench.database.write(lambda c: c.execute(spoiling))

    with pytest.raises(InvalidBody):
        make_scheduled(means, ScheduleStore(bench.database).get(row.id), of_due_time(row.id, NOON))
