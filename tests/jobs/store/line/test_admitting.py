"""Whose turn it is: fairness, priorities, caps, affinity, holds, moves; and the claim's plan."""

from __future__ import annotations

import contextlib
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import and_, event, insert, text, update

from accounts.store import AccountStore
from jobs.errors import NotFound, WrongState
from jobs.models import Job, User
from jobs.states import Priority
from jobs.store import NewJob
from jobs.store.line import admitting, claiming, turns
from tests.jobs.conftest import owner

HIGH, NORMAL, LOW = Priority.HIGH, Priority.NORMAL, Priority.LOW


@pytest.fixture
def owners(store):
    """name -> id, made when first asked for."""

    class Owners(dict):
        def __missing__(self, name):
            self[name] = owner(store.database, name)
            return self[name]

    return Owners()


@pytest.fixture
def send(submit, owners):
    """Submit `count` jobs of the owner of that name; their ids."""

    def make(name, count=1, **values):
        return [submit(owner_id=owners[name], **values).id for _ in range(count)]

    return make


def take(store, worker="wrk_1", *, models=(), queue="cpu", engines=("echo",)):
    return store.claim(worker, queue, engines=engines, models=models, lease_seconds=60)


def order(store, count=10**6, **values):
    """The ids in the order in which they are taken, one batch after the other."""
    taken = []
    while len(taken) < count and (rows := take(store, **values)):
        taken += [row.id for row in rows]
    return taken


def finish(store, row):
    return store.succeed(row.id, row.attempt, [])


def cap(store, owner_id, running):
    store.database.write(
        lambda c: c.execute(update(User).where(User.id == owner_id).values(max_running=running))
    )


def _of(owner_id):
    return and_(Job.owner_id == owner_id, Job.state == "queued")


class TestFairness:
    def test_the_first_job_of_another_owner_is_next_behind_thousands(
        self, store, submit, owners, monkeypatch
    ):
        monkeypatch.setattr(admitting, "LINE", 8)
        for _ in range(60):
            submit(owner_id=owners["heavy"])
        heavy = take(store)[0]
        (light,) = [submit(owner_id=owners["light"]).id]
        assert heavy.owner_id == owners["heavy"]
        # One of the heavy owner's may have the same turn, and is older.
        assert light in order(store, 2)

    def test_owners_take_turns_however_many_jobs_each_has(self, store, send):
        ids = {name: send(name, count) for name, count in (("a", 20), ("b", 3), ("c", 7))}
        names = {job_id: name for name, theirs in ids.items() for job_id in theirs}
        taken = [names[job_id] for job_id in order(store)]
        assert taken[:9] == ["a", "b", "c"] * 3
        assert taken[9:17] == ["a", "c"] * 4

    def test_an_owner_s_own_jobs_keep_their_order(self, store, send, monkeypatch):
        monkeypatch.setattr(admitting, "LINE", 4)
        ids = send("a", 15)
        send("b", 3)
        taken = order(store)
        assert [job_id for job_id in taken if job_id in ids] == ids

    def test_who_was_away_neither_lost_nor_saved_up_turns(self, store, send):
        first = send("a", 10)
        assert order(store) == first
        late = send("b", 5)
        again = send("a", 5)
        taken = order(store)
        ahead = [sum(1 if job_id in late else -1 for job_id in taken[:n]) for n in range(len(taken))]
        assert -2 <= min(ahead) <= max(ahead) <= 2
        assert set(taken) == {*late, *again}

    def test_one_at_a_time_is_no_trick(self, store, send):
        """An owner who sends a job when the last one was taken gets every second turn and no more."""
        heavy = send("heavy", 20)
        taken = []
        tricky = send("tricky")
        for _ in range(20):
            row = take(store)[0]
            taken.append("t" if row.id in tricky else "h")
            if row.id in tricky:
                tricky += send("tricky")
        assert taken.count("h") == 10
        assert heavy

    def test_canceled_jobs_leave_no_gap_that_their_owner_waits_for(self, store, send, monkeypatch):
        monkeypatch.setattr(admitting, "LINE", 8)
        mine = send("a", 60)
        send("b", 200)
        for job_id in mine[:-1]:
            store.cancel(job_id, None)
        assert mine[-1] in order(store, 12)

    def test_a_job_that_nobody_can_run_holds_nobody_up(self, store, send):
        send("a", engine="other")
        taken = []
        heavy = send("heavy", 12)
        tricky = send("tricky")
        for _ in range(12):
            row = take(store)[0]
            taken.append(row.id)
            if row.id in tricky:
                tricky += send("tricky")
        assert len(set(taken) & set(heavy)) == 6

    def test_queues_have_lines_of_their_own(self, store, send):
        send("a", 3)
        (job,) = send("a", queue="gpu")
        assert order(store, queue="gpu") == [job]


class TestPriority:
    def test_a_priority_is_worth_a_bounded_number_of_turns(self, store, send):
        normal = send("a", 30)
        low = send("b", priority=LOW)[0]
        high = send("c", 30, priority=HIGH)
        taken = order(store)
        assert taken[: turns.BOOST] == high[: turns.BOOST]
        # Nothing waits for ever: low is taken after BOOST rounds, with 20 of each of the others to come.
        assert turns.BOOST * 2 <= taken.index(low) <= turns.BOOST * 4
        assert taken.index(normal[0]) <= turns.BOOST + 1

    def test_urgent_jobs_one_after_the_other_do_not_starve_the_rest(self, store, send):
        normal = send("a", 100)
        outstanding = send("b", 2, priority=HIGH)
        taken = []
        for _ in range(60):
            row = take(store)[0]
            taken.append(row.id)
            if row.id in outstanding:
                outstanding += send("b", priority=HIGH)
        assert len(set(taken) & set(normal)) >= 20

    def test_an_urgent_job_overtakes_its_owner_s_backlog(self, store, send, monkeypatch):
        monkeypatch.setattr(admitting, "LINE", 4)
        send("a", 40)
        (urgent,) = send("a", priority=HIGH)
        assert order(store, 1) == [urgent]


class TestCap:
    def test_over_the_cap_jobs_are_held_and_move_up_as_others_end(self, store, send, owners):
        cap(store, owners["a"], 2)
        ids = send("a", 5)
        other = send("b")
        running = [take(store)[0] for _ in range(3)]
        assert {row.id for row in running} == {*ids[:2], *other}
        assert take(store) == []
        assert [store.get(job_id).hold for job_id in ids[2:]] == ["behind"] * 3
        finish(store, next(row for row in running if row.id == ids[0]))
        assert [row.id for row in take(store)] == [ids[2]]
        assert take(store) == []

    @pytest.mark.parametrize(
        "end",
        [
            lambda s, r: s.succeed(r.id, r.attempt, []),
            lambda s, r: s.fail(r.id, r.attempt, code="x", detail=""),
            lambda s, r: s.cancel(r.id, None) and s.end_canceled(r.id, r.attempt),
            lambda s, r: s.cancel(r.id, None) and s.release(r.id, r.attempt),
            lambda s, r: s.cancel(r.id, None) and s.expire_leases(worker_id="wrk_1"),
        ],
    )
    def test_whatever_ends_a_job_lets_the_next_one_in(self, store, send, owners, end):
        cap(store, owners["a"], 1)
        _, second = send("a", 2)
        end(store, take(store)[0])
        assert order(store) == [second]

    @pytest.mark.parametrize(
        "leave",
        [
            lambda s, i: s.cancel(i, None),
            lambda s, i: s.delete(i, None),
            lambda s, i: s.hold(i, None),
        ],
    )
    def test_a_waiting_job_that_leaves_lets_the_next_one_in(self, store, send, owners, leave):
        cap(store, owners["a"], 1)
        first, second, _ = send("a", 3)
        leave(store, first)
        assert order(store) == [second]

    def test_a_job_that_comes_back_still_counts(self, store, send, owners):
        cap(store, owners["a"], 1)
        first, _ = send("a", 2)
        row = take(store)[0]
        store.release(row.id, row.attempt)
        assert order(store) == [first]

    def test_a_cap_is_exact_when_many_submit_at_once(self, store, submit, owners):
        cap(store, owners["a"], 3)
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda _: submit(owner_id=owners["a"]), range(20)))
        assert len(order(store)) == 3

    def test_a_lowered_cap_holds_for_those_in_line_too(self, store, send, owners):
        ids = send("a", 6)
        (running,) = take(store)
        AccountStore(store.database).set_limits(owners["a"], {"max_running": 3})
        assert [store.get(job_id).hold for job_id in ids[1:]] == [None, None, *["behind"] * 3]
        assert order(store) == ids[1:3]
        finish(store, running)
        assert order(store) == [ids[3]]

    def test_what_went_back_keeps_its_order(self, store, send, owners):
        ids = send("a", 8)
        store.move(ids[7], owners["a"])
        for most in (5, 2, 0):
            AccountStore(store.database).set_limits(owners["a"], {"max_running": most})
        assert order(store) == [ids[7], *ids[:7]]

    def test_a_raised_cap_holds_at_once(self, store, send, owners):
        cap(store, owners["a"], 1)
        ids = send("a", 4)
        AccountStore(store.database).set_limits(owners["a"], {"max_running": 3})
        assert order(store) == ids[:3]

    def test_a_cap_above_what_the_line_holds(self, store, send, owners, monkeypatch):
        monkeypatch.setattr(admitting, "LINE", 4)
        cap(store, owners["a"], 10)
        ids = send("a", 15)
        assert order(store) == ids[:10]

    def test_an_end_and_a_submission_at_once_leave_nobody_behind(self, store, submit, owners):
        """The end must see the job that is just about to wait for it."""
        cap(store, owners["a"], 1)
        submit(owner_id=owners["a"])
        with ThreadPoolExecutor(2) as pool:
            for _ in range(40):
                (row,) = take(store)
                ending = pool.submit(finish, store, row)
                pool.submit(submit, owner_id=owners["a"]).result()
                ending.result()
                assert store.due_by_queue() == {"cpu": 1}

    def test_who_was_left_behind_moves_up_at_the_next_submission(self, store, send, owners):
        cap(store, owners["a"], 2)
        ids = send("a", 3)
        store.database.write(lambda c: c.execute(update(Job).values(hold="behind", turn=None)))
        send("a")
        assert order(store) == ids[:2]

    def test_a_raised_cap_is_noticed_by_the_sweeper(self, store, send, owners):
        cap(store, owners["a"], 1)
        send("a", 4)
        cap(store, owners["a"], 3)
        assert store.top_up() is None
        assert len(order(store)) == 3

    def test_it_does_not_look_twice_at_owners_whose_jobs_stand_where_they_should(
        self, store, send, owners, monkeypatch
    ):
        monkeypatch.setattr(admitting, "LINE", 4)
        send("long", 12)
        for name in ("full", "partly", "two queues"):
            cap(store, owners[name], 2)
            send(name, 5)
        send("two queues", 5, queue="gpu")
        rows = [take(store)[0] for _ in range(4)]
        refitted = []
        monkeypatch.setattr("jobs.store.sweeper.refit", lambda _, owner_id: refitted.append(owner_id))

        assert store.top_up() is None
        assert refitted == []
        # Cases that no end of a job has told of: a cap that was raised or lowered, a line that ran short.
        cap(store, owners["partly"], 3)
        store.database.write(
            lambda c: c.execute(update(Job).where(_of(owners["long"])).values(hold="behind"))
        )
        store.database.write(lambda c: c.execute(update(Job).where(_of(owners["long"])).values(turn=None)))
        cap(store, owners["two queues"], 1)
        assert store.top_up() is None
        assert sorted(refitted) == sorted(owners[name] for name in ("partly", "long", "two queues"))
        assert len(rows) == 4

    def test_the_sweeper_goes_from_owner_to_owner(self, store, send, owners):
        for name in "abc":
            cap(store, owners[name], 1)
            send(name, 2)
            cap(store, owners[name], 2)
        last = store.top_up(limit=2)
        assert last == sorted(owners.values())[1]
        assert store.top_up(after=last, limit=2) is None
        assert len(order(store)) == 6

    def test_the_server_s_default_caps_who_has_no_own(self, store, send, owners, monkeypatch):
        monkeypatch.setenv("ATELIER_MAX_RUNNING", "1")
        cap(store, owners["free"], 0)
        send("a", 3)
        send("free", 3)
        assert len(order(store)) == 4


class TestAffinity:
    def test_a_loaded_model_goes_first_within_the_look_ahead(self, store, send):
        red = send("a", 3, model="red")
        blue = send("b", 3, model="blue")
        assert order(store, models=["blue"]) == [*blue, *red]

    def test_without_a_loaded_model_the_line_decides(self, store, send):
        (red,), (blue,) = send("a", model="red"), send("b", model="blue")
        assert order(store, models=["green"]) == [red, blue]

    def test_the_look_ahead_is_bounded(self, store, send):
        for n in range(claiming.LOOK_AHEAD):
            send(f"o{n}", model="red")
        (blue,) = send("late", model="blue")
        assert order(store, 1, models=["blue"]) != [blue]

    def test_a_job_is_passed_over_for_a_bounded_time(self, store, send):
        (red,) = send("a", model="red")
        blue = send("b", 3, model="blue")
        assert order(store, 1, models=["blue"]) == blue[:1]
        assert store.get(red).passed_at is not None
        long_ago = datetime.now(UTC) - timedelta(seconds=claiming.AFFINITY_SECONDS + 1)
        store.database.write(lambda c: c.execute(update(Job).where(Job.id == red).values(passed_at=long_ago)))
        assert order(store, 1, models=["blue"]) == [red]

    def test_the_bound_is_one_for_all_that_were_passed_over(self, store, send):
        """Each of five other models would wait as long again, one after the other."""
        reds = [send(f"r{n}", model=f"red {n}")[0] for n in range(5)]
        blue = send("b", 3, model="blue")
        assert order(store, 1, models=["blue"]) == blue[:1]
        long_ago = datetime.now(UTC) - timedelta(seconds=claiming.AFFINITY_SECONDS + 1)
        was_passed = update(Job).where(Job.passed_at.is_not(None)).values(passed_at=long_ago)
        store.database.write(lambda c: c.execute(was_passed))
        assert order(store, 5, models=["blue"]) == reds

    def test_who_is_behind_the_one_that_is_taken_was_not_passed_over(self, store, send):
        blue, red = send("a", model="blue")[0], send("b", model="red")[0]
        assert order(store, 1, models=["blue"]) == [blue]
        assert store.get(red).passed_at is None


class TestBatch:
    def test_those_that_can_run_together_are_taken_together_from_all_owners(self, store, send):
        a = send("a", 3, batch="k", batch_most=4)
        (alone,) = send("b")
        c = send("c", 3, batch="k", batch_most=4)
        rows = take(store)
        assert {row.id for row in rows} == {a[0], a[1], c[0], c[1]}
        assert {row.batch_size for row in rows} == {4}
        assert [row.id for row in take(store)] == [alone]

    def test_a_batch_comes_when_its_first_job_s_turn_has_come(self, store, send):
        (first,) = send("a")
        send("b", 2, batch="k", batch_most=4)
        assert [row.id for row in take(store)] == [first]

    def test_what_is_not_due_held_or_too_late_stays_out(self, store, send):
        ids = send("a", 4, batch="k", batch_most=8)
        store.hold(ids[1], None)
        past = datetime.now(UTC) - timedelta(seconds=1)
        store.database.write(lambda c: c.execute(update(Job).where(Job.id == ids[2]).values(start_by=past)))
        assert [row.id for row in take(store)] == [ids[0], ids[3]]


class TestTogether:
    """What happens at the same time, on real connections."""

    def test_cancels_claims_ends_moves_and_holds_of_one_owner(self, store, send, owners, monkeypatch):
        monkeypatch.setattr(admitting, "LINE", 8)
        cap(store, owners["a"], 12)
        ids = send("a", 80)
        changes = [
            lambda job, _: store.cancel(job, None),
            lambda _, worker: [finish(store, row) for row in take(store, worker)],
            lambda job, _: store.move(job, owners["a"]),
            lambda job, _: store.hold(job, None),
            lambda job, _: store.release_hold(job, None),
        ]

        def work(number):
            for step in range(25):
                job = ids[(number * 31 + step * 7) % len(ids)]
                with contextlib.suppress(WrongState):
                    changes[(number + step) % 5](job, f"wrk_{number}")

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))
        for job_id in ids:
            with contextlib.suppress(WrongState):
                store.release_hold(job_id, None)
        while rows := take(store):
            for row in rows:
                finish(store, row)
        assert {store.get(job_id).state for job_id in ids} == {"succeeded", "canceled"}


class TestDeadline:
    def test_a_job_that_is_too_late_is_not_started_and_fails(self, store, send, owners):
        cap(store, owners["a"], 1)
        late, next_one = send("a", start_by=datetime.now(UTC) - timedelta(seconds=1))[0], send("a")[0]
        assert take(store) == []
        (row,) = store.end_late()
        assert (row.id, row.state, row.error_code) == (late, "failed", "start_by_passed")
        assert order(store) == [next_one]

    def test_one_that_was_given_back_has_started_in_time(self, store, send):
        (job,) = send("a", start_by=datetime.now(UTC) + timedelta(seconds=0.5))
        (row,) = take(store)
        time.sleep(0.6)
        store.release(row.id, row.attempt)
        assert store.end_late() == []
        assert order(store) == [job]

    def test_one_in_time_is_started(self, store, send):
        ids = send("a", start_by=datetime.now(UTC) + timedelta(minutes=1))
        assert store.end_late() == []
        assert order(store) == ids


class TestHold:
    def test_a_held_job_waits_until_it_is_released(self, store, send):
        first, second = send("a", 2)
        held = store.hold(first, None)
        assert (held.state, held.hold, store.position(held)) == ("queued", "owner", None)
        assert order(store) == [second]
        assert store.release_hold(first, None).hold is None
        assert order(store) == [first]

    def test_a_job_can_be_submitted_on_hold(self, store, send):
        (job,) = send("a", held=True)
        assert order(store) == []
        store.release_hold(job, None)
        assert order(store) == [job]

    def test_the_time_on_hold_is_time_in_the_queue(self, store, send):
        before = store.get(send("a")[0])
        store.hold(before.id, None)
        time.sleep(0.3)
        after = store.release_hold(before.id, None)
        assert (after.run_after - before.run_after).total_seconds() >= 0.3  # it begins to wait anew
        assert take(store)[0].queue_seconds >= 0.3

    def test_a_release_does_not_end_a_back_off(self, store, send):
        (job,) = send("a")
        (row,) = take(store)
        store.retry_later(row.id, row.attempt, code="x", detail="", delay_seconds=60)
        store.hold(job, None)
        store.release_hold(job, None)
        assert take(store) == []

    def test_holding_and_releasing_twice_is_once(self, store, send):
        (job,) = send("a")
        store.release_hold(job, None)
        assert store.hold(job, None).version == store.hold(job, None).version
        assert store.release_hold(job, None).version == store.release_hold(job, None).version

    def test_only_a_queued_job_of_one_s_own(self, store, send, owners):
        (job,) = send("a")
        with pytest.raises(NotFound):
            store.hold(job, owners["b"])
        take(store)
        for change in (store.hold, store.release_hold):
            with pytest.raises(WrongState):
                change(job, None)

    def test_a_held_job_can_be_canceled_and_can_be_too_late(self, store, send):
        a, b = send("a", held=True)[0], send("a", held=True, start_by=datetime.now(UTC))[0]
        assert store.cancel(a, None).state == "canceled"
        assert [row.id for row in store.end_late()] == [b]


class TestMove:
    @pytest.fixture(params=[256, 3], ids=["all in line", "some behind"])
    def ids(self, request, monkeypatch, send):
        monkeypatch.setattr(admitting, "LINE", request.param)
        send("other", 2)
        return send("a", 7)

    def own(self, store, ids):
        return [ids.index(job_id) for job_id in order(store) if job_id in ids]

    def test_to_the_front(self, store, ids, owners):
        store.move(ids[5], owners["a"])
        assert self.own(store, ids) == [5, 0, 1, 2, 3, 4, 6]

    def test_to_the_end(self, store, ids, owners):
        store.move(ids[1], owners["a"], to_end=True)
        assert self.own(store, ids) == [0, 2, 3, 4, 5, 6, 1]

    @pytest.mark.parametrize(("job", "before"), [(6, 0), (6, 2), (6, 5), (0, 6), (0, 2), (1, 4), (4, 1)])
    def test_before_another(self, store, ids, owners, job, before):
        store.move(ids[job], owners["a"], before=ids[before])
        wanted = [n for n in range(7) if n != job]
        wanted.insert(wanted.index(before), job)
        assert self.own(store, ids) == wanted

    def test_many_moves_to_one_place(self, store, ids, owners):
        """More than the doubles between two neighbours can hold."""
        for n in range(120):
            store.move(ids[4 + n % 2], owners["a"], before=ids[6])
        assert self.own(store, ids) == [0, 1, 2, 3, 4, 5, 6]

    def test_other_owners_keep_their_places(self, store, send, ids, owners):
        theirs = send("b", 3)
        before = [store.get(job_id).turn for job_id in theirs]
        store.move(ids[6], owners["a"])
        assert [store.get(job_id).turn for job_id in theirs] == before

    def test_what_cannot_be_moved(self, store, send, ids, owners):
        (urgent,), (others,) = send("a", priority=HIGH), send("b")
        with pytest.raises(WrongState):
            store.move(ids[0], owners["a"], before=urgent)
        with pytest.raises(NotFound):
            store.move(ids[0], owners["a"], before=others)
        with pytest.raises(NotFound):
            store.move(others, owners["a"])
        store.hold(ids[0], None)
        with pytest.raises(WrongState):
            store.move(ids[0], owners["a"])


class TestPosition:
    def test_behind_the_line_it_counts_the_line_and_one_s_own(self, store, send, monkeypatch):
        monkeypatch.setattr(admitting, "LINE", 3)
        ids = send("a", 5)
        send("b", 2)
        assert [store.position(store.get(job_id)) for job_id in ids] == [1, 3, 5, 6, 7]


def explained(database, run):
    """The plan of every statement that `run` executes and that claims."""
    plans = []
    before = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "

    def explain(connection, _cursor, statement, parameters, _context, _many):
        if statement.startswith("WITH front"):
            cursor = connection.connection.cursor()
            cursor.execute(before + statement, parameters)
            plans.append("\n".join(str(row) for row in cursor.fetchall()))
            cursor.close()

    event.listen(database.engine, "before_cursor_execute", explain)
    try:
        run()
    finally:
        event.remove(database.engine, "before_cursor_execute", explain)
    return plans


def test_the_claim_stays_on_its_indexes(store, owners):
    """With 20,000 rows, most of them not in line, no part of it reads the table from end to end."""
    values = {
        "engine": "echo", "queue": "cpu", "params": {}, "seed": 1, "model": "echo", "place": 1.0,
    }  # fmt: skip

    def fill(connection):
        connection.execute(
            insert(Job),
            [
                values
                | {
                    "id": f"job_{n:032x}",
                    "owner_id": owners[f"o{n % 50}"],
                    "state": "queued" if n % 4 else "succeeded",
                    "turn": n // 50 if n % 8 == 1 else None,
                    "hold": None if n % 8 == 1 else "behind",
                    "batch": "k" if n % 16 == 1 else None,
                }
                for n in range(20_000)
            ],
        )

    for n in range(50):
        assert owners[f"o{n}"]
    store.database.write(fill)
    with store.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    (plan, *_) = explained(store.database, lambda: take(store, models=["echo"]))
    assert "ix_jobs_line" in plan
    assert "ix_jobs_batch" in plan
    assert not re.search(r"Seq Scan on jobs|SCAN (jobs|read|first|other|own)\b(?! USING)", plan), plan


def test_the_claim_needs_no_new_statistics(store, submit, owners):
    """As after a night without jobs: PostgreSQL believes that there is never anything in line."""
    row = submit(owner_id=owners["a"])
    ended = {**row._mapping, "state": "succeeded", "turn": None, "finished_at": row.created_at}
    many = [ended | {"id": f"job_{n:032x}"} for n in range(3000)]
    columns = set(Job.__table__.columns.keys())

    def fill(connection):
        connection.execute(insert(Job), [{k: v for k, v in one.items() if k in columns} for one in many])

    store.database.write(fill)
    with store.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    (plan, *_) = explained(store.database, lambda: take(store, models=["echo"]))
    assert not re.search(r"ix_jobs_line on jobs first", plan), plan
    assert not re.search(r"SCAN first USING INDEX ix_jobs_line", plan), plan


def test_what_an_owner_of_ten_thousand_has_in_line_is_bounded(store, owners, monkeypatch):
    monkeypatch.setattr(admitting, "LINE", 16)
    for _ in range(50):
        store.submit(NewJob(owner_id=owners["a"], engine="echo", queue="cpu", params={}, seed=1))
    assert store.due_by_queue() == {"cpu": 16}
    order(store, 10)
    assert 8 <= store.due_by_queue()["cpu"] <= 16
