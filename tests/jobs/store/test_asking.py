"""Jobs made of jobs: put aside, called again, failed and canceled with their parts, tried again with them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from accounts.store import AccountStore
from jobs.errors import InUse, LeaseLost, NotFound, PartConflict, WrongState
from jobs.models import JobInput
from jobs.states import State
from jobs.store import JobStore, NewArtifact, NewJob, NewPart, Wanted
from tests.jobs.conftest import owner


class Chain:
    """One owner's job that asks for parts, and a worker for everything."""

    def __init__(self, database, **new) -> None:
        self.rung: list[str] = []
        self.store = JobStore(database, ring=self.rung.append)
        self.owner = owner(database)
        self.id = self.submit("film", **new)

    def submit(self, engine, **new) -> str:
        values = {"owner_id": self.owner, "queue": "cpu", "params": {}, "seed": 1} | new
        return self.store.submit(NewJob(engine=engine, **values))[0].id

    def part(self, name, *, digest=None, share=0.25, stage="draw", **new) -> NewPart:
        values = {"owner_id": self.owner, "engine": "part", "queue": "cpu", "params": {"n": name}, "seed": 1}
        return NewPart(name, stage, share, digest or f"digest of {name}", NewJob(**(values | new)))

    def claim(self, engine="part", queue="cpu"):
        rows = self.store.claim("wrk_1", queue, engines=[engine], lease_seconds=60)
        return rows[0] if rows else None

    def ask(self, *parts):
        job = self.claim("film")
        assert job is not None
        assert job.id == self.id
        return self.store.wait_for(job.id, job.attempt, list(parts))

    def make(self, *, name="a.txt", queue="cpu"):
        """End the next part well."""
        row = self.claim("part", queue)
        assert row is not None
        made = NewArtifact(name, f"jobs/{row.id}/{row.attempt}/{name}", "text/plain", 1, "0" * 64)
        return self.store.succeed(row.id, row.attempt, [made])

    def fail(self):
        row = self.claim()
        assert row is not None
        return self.store.fail(row.id, row.attempt, code="engine_error", detail="no paint")

    @property
    def job(self):
        return self.store.get(self.id)

    def parts(self):
        return [(part.name, part.state) for part in self.store.parts(self.id)]

    def why(self):
        return [(event.state, event.reason) for event in self.store.events(self.id)]


@pytest.fixture
def chain(database) -> Chain:
    return Chain(database)


def test_a_job_waits_for_its_parts_without_a_worker_and_goes_on_with_their_results(chain):
    row = chain.ask(chain.part("a"), chain.part("b"))
    assert (row.state, row.hold, row.lease_owner, row.turn, row.failures) == (
        "queued",
        "parts",
        None,
        None,
        0,
    )
    assert chain.claim("film") is None
    assert chain.parts() == [("a", "queued"), ("b", "queued")]
    before = chain.job.version

    chain.make()
    assert (chain.job.hold, chain.job.progress) == ("parts", pytest.approx(0.25))
    assert chain.job.version == before + 1
    chain.make()
    assert (chain.job.hold, chain.job.progress) == (None, pytest.approx(0.5))

    job = chain.claim("film")
    assert (job.id, job.attempt, job.progress) == (chain.id, 2, pytest.approx(0.5))
    results = chain.store.part_results(chain.id)
    assert [(name, [row.name for row in rows]) for name, rows in results.items()] == [
        ("a", ["a.txt"]),
        ("b", ["a.txt"]),
    ]
    chain.store.succeed(job.id, job.attempt, [])
    assert chain.why() == [
        ("queued", None),
        ("running", None),
        ("queued", "waits_for_parts"),
        ("queued", "parts_ended"),
        ("running", None),
        ("succeeded", None),
    ]


def test_parts_are_their_owner_s_go_in_their_order_and_are_in_no_list(chain):
    chain.ask(*(chain.part(f"{n}") for n in range(5)))
    later = chain.submit("part")
    assert [chain.claim().params.get("n") for _ in range(6)] == ["0", "1", "2", "3", "4", None]
    assert {row.owner_id for _, row in chain.store.part_jobs(chain.id)} == {chain.owner}
    assert [row.id for row in chain.store.page(chain.owner)] == [later, chain.id]
    part_id = chain.store.parts(chain.id)[0].part_id
    assert [row.id for row in chain.store.page(chain.owner, Wanted(ids=[part_id]))] == [part_id]


def test_a_second_stage_is_asked_for_by_the_next_attempt(chain):
    chain.ask(chain.part("a"))
    chain.make()
    chain.ask(chain.part("a"), chain.part("b", stage="join"))
    assert chain.parts() == [("a", "succeeded"), ("b", "queued")]
    stages = chain.store.stages([chain.id])[chain.id]
    assert [(s.stage, s.jobs, s.succeeded, s.queued, s.progress, s.attempts) for s in stages] == [
        ("draw", 1, 1, 0, 1.0, 1),
        ("join", 1, 0, 1, 0.0, 0),
    ]
    chain.make()
    assert chain.job.hold is None


def test_a_job_of_which_no_part_is_left_stands_in_line_at_once(chain):
    chain.ask(chain.part("a"))
    chain.make()
    chain.ask(chain.part("a"))
    assert chain.job.hold is None
    assert chain.claim("film").attempt == 3


def test_asking_twice_after_a_lost_answer_asks_for_nothing_twice(chain):
    job = chain.claim("film")
    chain.store.wait_for(job.id, 1, [chain.part("a")])
    again = chain.store.wait_for(job.id, 1, [chain.part("a")])
    assert (again.hold, chain.parts()) == ("parts", [("a", "queued")])
    chain.make()
    chain.claim("film")
    with pytest.raises(LeaseLost):
        chain.store.wait_for(job.id, 1, [chain.part("b")])
    assert chain.parts() == [("a", "succeeded")]


def test_an_attempt_that_was_lost_asks_for_nothing(chain):
    job = chain.store.claim("wrk_1", "cpu", engines=["film"], lease_seconds=-1)[0]
    chain.store.expire_leases()
    with pytest.raises(LeaseLost):
        chain.store.wait_for(job.id, job.attempt, [chain.part("a")])
    assert chain.parts() == []


def test_a_name_is_one_part(chain):
    chain.ask(chain.part("a"))
    chain.make()
    job = chain.claim("film")
    with pytest.raises(PartConflict, match="part a was"):
        chain.store.wait_for(job.id, job.attempt, [chain.part("a", digest="another")])
    assert (chain.job.state, chain.job.attempt) == ("running", 2)


def test_a_part_that_fails_fails_its_job_and_the_sweeper_takes_the_others(chain):
    chain.ask(chain.part("a"), chain.part("b"), chain.part("c"))
    chain.fail()
    assert (chain.job.state, chain.job.error_code) == ("failed", "part_failed")
    assert chain.job.error_detail == "a: engine_error: no paint"
    running = chain.claim()
    assert chain.store.end_nobody_s_parts() == 2
    assert chain.parts() == [("a", "failed"), ("b", "running"), ("c", "canceled")]
    chain.store.end_canceled(running.id, running.attempt)
    assert chain.store.end_nobody_s_parts() == 0
    assert chain.why()[-1] == ("failed", "part_failed")


def test_a_part_that_its_owner_cancels_fails_its_job(chain):
    chain.ask(chain.part("a"), chain.part("b"))
    chain.store.cancel(chain.store.parts(chain.id)[1].part_id, chain.owner)
    assert (chain.job.state, chain.job.error_detail) == ("failed", "b: canceled")


def test_a_part_whose_worker_dies_is_made_by_another_and_its_job_waits_on(chain):
    chain.ask(chain.part("a"))
    chain.store.claim("wrk_2", "cpu", engines=["part"], lease_seconds=-1)
    chain.store.expire_leases()
    assert (chain.job.hold, chain.parts()) == ("parts", [("a", "queued")])
    chain.make()
    assert chain.job.hold is None


@pytest.mark.parametrize("when", ["before it asked", "while it asks", "while parts run", "when they ended"])
def test_a_job_is_canceled_at_every_step(chain, when):
    if when == "while it asks":
        job = chain.claim("film")
        chain.store.cancel(chain.id, chain.owner)
        assert chain.store.wait_for(job.id, job.attempt, [chain.part("a")]).state == "canceled"
        assert chain.parts() == []
        return
    if when != "before it asked":
        chain.ask(chain.part("a"))
    running = chain.claim() if when == "while parts run" else None
    if when == "when they ended":
        chain.make()
    assert chain.store.cancel(chain.id, chain.owner).state == "canceled"
    chain.store.end_nobody_s_parts()
    if running is not None:
        assert chain.store.cancel_requested(running.id, running.attempt)
        # Its success was on its way; that changes nothing for the job.
        chain.store.succeed(running.id, running.attempt, [])
    assert chain.job.state == "canceled"
    assert {state for _, state in chain.parts()} <= {"succeeded", "canceled"}


def test_a_deleted_job_takes_its_parts_with_it(chain):
    chain.ask(chain.part("a"), chain.part("b"), chain.part("c"))
    chain.make()
    ids = [part.part_id for part in chain.store.parts(chain.id)]
    running = chain.claim()
    chain.store.delete(chain.id, chain.owner)
    chain.store.end_nobody_s_parts()
    assert chain.store.cancel_requested(running.id, running.attempt)
    chain.store.end_canceled(running.id, running.attempt)
    chain.store.end_nobody_s_parts()
    for part_id in ids:
        with pytest.raises(NotFound):
            chain.store.get(part_id)
    assert chain.store.end_nobody_s_parts() == 0


def test_nobody_deletes_a_part_under_its_job(chain):
    chain.ask(chain.part("a"), chain.part("b"))
    chain.make()
    for part in chain.store.parts(chain.id):
        with pytest.raises(InUse, match=chain.id):
            chain.store.delete(part.part_id, chain.owner)
    chain.fail()
    for part in chain.store.parts(chain.id):
        chain.store.delete(part.part_id, chain.owner)
    assert chain.parts() == []


class TestAnotherTry:
    def again(self, chain, *parts):
        chain.id = chain.submit("film", retry_of=chain.id)
        return chain.ask(*parts)

    def test_what_was_made_is_used_again_and_what_failed_is_made(self, chain):
        chain.ask(chain.part("a"), chain.part("b"))
        chain.make()
        chain.fail()
        old = chain.store.parts(chain.id)[0].part_id
        self.again(chain, chain.part("a"), chain.part("b"))
        assert chain.store.parts(chain.id)[0].part_id == old
        assert chain.parts() == [("a", "succeeded"), ("b", "queued")]
        assert (chain.job.hold, chain.job.progress) == ("parts", pytest.approx(0.25))
        with chain.store.database.engine.connect() as connection:
            reading = select(func.count()).select_from(JobInput).where(JobInput.job_id == chain.id)
            assert connection.execute(reading).scalar_one() == 1
        chain.make()
        assert chain.claim("film").attempt == 2

    def test_with_other_params_it_is_made_anew(self, chain):
        chain.ask(chain.part("a"), chain.part("b"))
        chain.make()
        chain.fail()
        self.again(chain, chain.part("a", digest="another"))
        assert chain.parts() == [("a", "queued")]

    def test_a_try_of_a_try_uses_what_any_of_them_made(self, chain):
        chain.ask(chain.part("a"), chain.part("b"))
        chain.make()
        chain.fail()
        chain.id = chain.submit("film", retry_of=chain.id)
        chain.store.cancel(chain.id, chain.owner)  # before it asked for anything
        self.again(chain, chain.part("a"), chain.part("b"))
        assert chain.parts() == [("a", "succeeded"), ("b", "queued")]

    def test_the_first_try_deleted_leaves_what_the_second_uses(self, chain):
        chain.ask(chain.part("a"), chain.part("b"))
        chain.make()
        chain.fail()
        first = chain.id
        self.again(chain, chain.part("a"), chain.part("b"))
        chain.store.delete(first, chain.owner)
        chain.store.end_nobody_s_parts()
        assert chain.parts() == [("a", "succeeded"), ("b", "queued")]
        chain.make()
        job = chain.claim("film")
        chain.store.succeed(job.id, job.attempt, [])
        chain.store.delete(chain.id, chain.owner)
        chain.store.end_nobody_s_parts()
        assert [row.id for row in chain.store.page(chain.owner)] == []


def test_parts_of_parts_fail_all_the_way_up(chain):
    chain.ask(chain.part("a", engine="film"))
    middle = chain.claim("film")
    chain.store.wait_for(middle.id, middle.attempt, [chain.part("deep")])
    leaf = chain.store.parts(middle.id)[0].part_id
    assert [chain.store.depth(chain.store.get(i), 9) for i in (chain.id, middle.id, leaf)] == [0, 1, 2]
    chain.fail()
    assert (chain.store.get(middle.id).state, chain.job.state) == ("failed", "failed")
    assert chain.job.error_detail == "a: part_failed: deep: engine_error: no paint"


def test_who_waits_for_parts_takes_no_place_under_a_cap(database):
    chain = Chain(database)
    AccountStore(database).set_limits(chain.owner, {"max_running": 1})
    chain.ask(chain.part("a"), chain.part("b"))
    other = chain.submit("other")
    assert chain.make().state == "succeeded"
    assert chain.make().state == "succeeded"
    assert chain.claim("film") is not None
    assert chain.claim("other") is None
    assert chain.store.get(other).hold == "behind"


def test_it_is_neither_held_nor_moved_nor_has_it_a_position(chain):
    chain.ask(chain.part("a"))
    for change in (chain.store.hold, chain.store.release_hold):
        with pytest.raises(WrongState):
            change(chain.id, chain.owner)
    with pytest.raises(WrongState):
        chain.store.move(chain.id, chain.owner, to_end=True)
    assert chain.store.position(chain.job) is None
    assert chain.store.positions([chain.job]) == {}
    assert chain.job.hold == "parts"


def test_bells_ring_for_parts_and_for_the_job_that_goes_on(chain):
    chain.ask(chain.part("a"), chain.part("b", queue="gpu"))
    assert chain.rung == ["cpu", "gpu"]
    chain.make()
    chain.make(queue="gpu")
    assert chain.rung == ["cpu", "gpu", "cpu"]


def test_many_parts_end_on_eight_workers_at_once_and_call_their_job_once(database):
    chain = Chain(database)
    count = 60
    chain.ask(*(chain.part(f"{n:03}", share=0.9 / count) for n in range(count)))

    def work():
        done = 0
        while (row := chain.claim()) is not None:
            chain.store.succeed(row.id, row.attempt, [])
            done += 1
        return done

    with ThreadPoolExecutor(8) as pool:
        done = [task.result() for task in [pool.submit(work) for _ in range(8)]]
    while (row := chain.claim()) is not None:  # what others held when all looked
        chain.store.succeed(row.id, row.attempt, [])
        done.append(1)
    assert sum(done) == count
    assert (chain.job.hold, chain.job.progress) == (None, pytest.approx(0.9))
    assert chain.why().count(("queued", "parts_ended")) == 1
    assert {state for _, state in chain.parts()} == {State.SUCCEEDED}
