"""Many owners, workers and faults at random: whatever happens, nobody is forgotten, starved or over a cap."""

from __future__ import annotations

import contextlib
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from accounts.store import AccountStore
from jobs.errors import LeaseLost, NotFound, WrongState
from jobs.models import Clock, Job, JobEvent
from jobs.states import FINAL, Priority
from jobs.store import JobStore, NewJob
from jobs.store.line import admitting
from jobs.store.line.turns import BOOST
from tests.jobs.conftest import owner

OWNERS = 6
WORKERS = 5
LINE = 6
#: Nobody fails for this reason here: attempts end in all ways, again and again.
MANY = 10**6


@dataclass
class Waited:
    """What a job met when it entered the line, and how many were taken since."""

    clock: int
    taken: int


@dataclass
class World:
    """The store, what was sent into it, and what runs."""

    store: JobStore
    dice: random.Random
    owners: list[str]
    ids: list[str] = field(default_factory=list)
    running: list[Any] = field(default_factory=list)

    def claim(self) -> list[Any]:
        worker = f"wrk_{self.dice.randrange(WORKERS)}"
        models = [["red"], [], ["blue"]][self.dice.randrange(3)] if self.dice.random() < 0.3 else []
        rows = self.store.claim(worker, "cpu", engines=["echo"], models=models, lease_seconds=60)
        self.running += rows
        return rows

    def submit(self) -> None:
        batch = {"batch": "k", "batch_most": 3} if self.dice.random() < 0.2 else {}
        deadline = datetime.now(UTC) + timedelta(seconds=self.dice.choice([0.01, 0.5]))
        row, _ = self.store.submit(
            NewJob(
                owner_id=self.owners[min(self.dice.randrange(OWNERS * 2), OWNERS - 1)],  # one sends most
                engine="echo",
                queue="cpu",
                params={},
                seed=1,
                model=self.dice.choice(["red", "blue", "green"]),
                priority=self.dice.choice([*Priority, *[Priority.NORMAL] * 3]),
                held=self.dice.random() < 0.1,
                start_by=deadline if self.dice.random() < 0.05 else None,
                **batch,
            )
        )
        self.ids.append(row.id)

    def end(self) -> None:
        if not self.running:
            return
        row = self.running.pop(self.dice.randrange(len(self.running)))
        ends = [
            lambda: self.store.succeed(row.id, row.attempt, []),
            lambda: self.store.succeed(row.id, row.attempt, []),
            lambda: self.store.fail(row.id, row.attempt, code="x", detail=""),
            lambda: self.store.release(row.id, row.attempt),
            lambda: self.store.retry_later(
                row.id, row.attempt, code="x", detail="", delay_seconds=0.05, charge=False
            ),
            lambda: self.store.cancel(row.id, None) and self.store.end_canceled(row.id, row.attempt),
            lambda: self.store.expire_leases(worker_id=row.lease_owner, charge=self.dice.random() < 0.2),
        ]
        self.dice.choice(ends)()

    def change(self) -> None:
        """What an owner, an operator or the sweeper does."""
        if not self.ids:
            return
        job_id, other = self.dice.choice(self.ids), self.dice.choice(self.ids)
        changes = [
            lambda: self.store.cancel(job_id, None),
            lambda: self.store.hold(job_id, None),
            lambda: self.store.release_hold(job_id, None),
            lambda: self.store.release_hold(job_id, None),
            lambda: self.store.move(job_id, self.store.get(job_id).owner_id, before=other),
            lambda: self.store.move(job_id, self.store.get(job_id).owner_id),
            lambda: self.store.delete(job_id, None),
            lambda: self.limit(self.dice.choice([0, 0, 1, 2, 4, LINE + 4])),
            self.store.end_late,
            self.store.top_up,
        ]
        self.dice.choice(changes)()

    def limit(self, most: int) -> None:
        AccountStore(self.store.database).set_limits(self.dice.choice(self.owners), {"max_running": most})

    def step(self) -> None:
        """One thing that happens. Somebody else may have been faster; that is part of the game."""
        what = self.dice.choices([self.submit, self.claim, self.end, self.change], [4, 3, 3, 2])[0]
        with contextlib.suppress(LeaseLost, WrongState, NotFound):
            what()

    def finish(self) -> None:
        """Nobody holds or sends anything any more: all that is left must come to its end."""
        for job_id in self.ids:
            with contextlib.suppress(WrongState, NotFound):
                self.store.release_hold(job_id, None)
        self.store.top_up()
        for worker in range(WORKERS):
            self.store.expire_leases(worker_id=f"wrk_{worker}", charge=False)
        give_up = time.monotonic() + 30
        while self.open() and time.monotonic() < give_up:  # a back-off, and a job's last moment to begin
            self.store.end_late()
            while rows := self.claim():
                for row in rows:
                    self.store.succeed(row.id, row.attempt, [])

    def rows(self) -> list[Any]:
        return self.store.database.read(lambda c: list(c.execute(select(Job.__table__))))

    def open(self) -> list[str]:
        return [row.id for row in self.rows() if row.state not in FINAL]

    def check_ended(self) -> None:
        """Everything ended, once, and its account makes sense."""
        assert self.open() == []
        finals = (
            select(JobEvent.job_id, func.count())
            .where(JobEvent.state.in_([state.value for state in FINAL]))
            .group_by(JobEvent.job_id)
        )
        counts = dict(self.store.database.read(lambda c: [tuple(row) for row in c.execute(finals)]))
        for row in self.rows():
            assert counts[row.id] == 1
            assert (row.turn, row.hold) == (None, None)
            assert min(row.queue_seconds, row.run_seconds, row.device_seconds) >= 0
            assert row.device_seconds <= row.run_seconds + 0.1  # the clock is read for each of them


@pytest.fixture(params=range(2))
def dice(request):
    return random.Random(request.param)


@pytest.fixture
def world(store, dice, monkeypatch):
    monkeypatch.setattr(admitting, "LINE", LINE)
    monkeypatch.setattr("jobs.store.sweeper.MAX_FAILURES", MANY)
    return World(store, dice, [owner(store.database, f"owner {n}") for n in range(OWNERS)])


class Watch:
    """Looks at every row after every step."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ran: dict[str, int] = {}
        self._entered: dict[str, Waited] = {}

    def look(self) -> None:
        rows = self._world.rows()
        caps = {row.id: row.max_running for row in AccountStore(self._world.store.database).owners()}
        for owner_id in self._world.owners:
            self._look_at(owner_id, caps[owner_id] or 0, [row for row in rows if row.owner_id == owner_id])
        self._count(rows)

    def _look_at(self, owner_id: str, cap: int, theirs: list[Any]) -> None:
        running = [row for row in theirs if row.state == "running"]
        in_line = [row for row in theirs if row.state == "queued" and row.hold is None]
        behind = [row for row in theirs if row.state == "queued" and row.hold == "behind"]
        assert all(row.turn is not None for row in [*running, *in_line])
        assert all(row.turn is None for row in behind)
        # A cap that was lowered ends no running job, also if it comes back; but no other begins above it.
        back = [row for row in in_line if row.attempt]
        assert not cap or len(running) <= max(cap, self._ran.get(owner_id, 0))
        assert not cap or in_line == back or len(running) + len(in_line) <= cap
        self._ran[owner_id] = len(running) + len(back)
        for priority in Priority:
            here = sum(1 for row in in_line if row.priority == priority)
            # Those that came back from a worker are in line as well.
            assert sum(1 for row in in_line if row.priority == priority and not row.attempt) <= LINE
            if any(row.priority == priority for row in behind):
                full = cap and len(running) + len(in_line) >= cap
                assert full or here >= 1, "somebody waits behind nobody"

    def _count(self, rows: list[Any]) -> None:
        """A job goes after those of each flow that had at most its turn, and no others."""
        clock = self._world.store.database.read(lambda c: c.execute(select(Clock.turn)).scalar()) or 0
        running = {(row.id, row.attempt) for row in rows if row.state == "running"}
        waiting = {row.id: row for row in rows if row.state == "queued" and row.hold is None}
        for job_id in set(self._entered) - set(waiting):
            del self._entered[job_id]
        total = sum(row.attempt for row in rows)
        for row in waiting.values():
            met = self._entered.setdefault(row.id, Waited(clock, total))
            if row.run_after > datetime.now(UTC):
                self._entered[row.id] = Waited(clock, total)
            rounds = max(row.turn - met.clock, 0) + 2 * BOOST + 2
            assert total - met.taken <= rounds * OWNERS * len(Priority) + len(running)


def test_whatever_happens_in_turn(world):
    watch = Watch(world)
    for _ in range(100):
        world.step()
        watch.look()
    world.finish()
    world.check_ended()


@pytest.mark.parametrize("dice", [0], indirect=True)  # threads make another story of it each time
def test_whatever_happens_at_once(world, dice):
    """On real connections: no deadlock comes through, and what is left over is little and ends."""
    worlds = [
        World(world.store, random.Random(dice.random()), world.owners, world.ids, []) for _ in range(WORKERS)
    ]

    def live(one: World) -> None:
        for _ in range(30):
            one.step()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(live, worlds))
    running = select(Job.owner_id, func.count()).where(Job.state == "running").group_by(Job.owner_id)
    for owner_id in world.owners:
        AccountStore(world.store.database).set_limits(owner_id, {"max_running": 2})
    before = dict(world.store.database.read(lambda c: [tuple(r) for r in c.execute(running)]))
    for _ in range(30):
        world.claim()
    after = dict(world.store.database.read(lambda c: [tuple(r) for r in c.execute(running)]))
    assert all(count <= max(2, before.get(owner_id, 0)) for owner_id, count in after.items())
    world.finish()
    world.check_ended()
