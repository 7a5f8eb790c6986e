"""The watcher: who waits is woken by news of their own job, and by nothing else."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from api.streams import watching
from api.streams.watching import Watch, Watcher
from jobs.errors import Unavailable
from tests.api.helpers import eventually


class Jobs:
    """The two questions that a watcher asks, with answers set by the test, and how often they were asked."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.asked: list[tuple[str, list[str]]] = []
        self.away = threading.Event()

    def versions(self, job_ids) -> dict[str, int]:
        return self._answer("versions", job_ids)

    def facts(self, job_ids) -> dict[str, object]:
        found = self._answer("facts", job_ids)
        return {i: SimpleNamespace(row=SimpleNamespace(id=i, version=v), events=()) for i, v in found.items()}

    def _answer(self, what: str, job_ids) -> dict[str, int]:
        ids = list(job_ids)
        if ids:
            self.asked.append((what, ids))
        if self.away.is_set():
            raise Unavailable
        return {i: self.known[i] for i in ids if i in self.known}


@pytest.fixture(autouse=True)
def _quick(monkeypatch) -> None:
    monkeypatch.setattr(watching, "INTERVAL", 0.05)


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture
def watcher(jobs) -> Watcher:
    return Watcher(jobs, set)


def version(watch: Watch, seconds: float = 5) -> int:
    """What the next news say."""
    assert watch.wait(seconds)
    assert watch.facts is not None
    return watch.facts.row.version


def test_what_is_known_comes_first_and_then_every_change(jobs, watcher):
    jobs.known["job_a"] = 1
    with watcher.watching("job_a", "key_a") as watch:
        assert version(watch) == 1
        assert not watch.wait(0.2)
        jobs.known["job_a"] = 7
        assert version(watch) == 7
    # a second one asks nothing that is known
    with watcher.watching("job_a", "key_a") as first:
        version(first)
        before = [what for what, _ in jobs.asked].count("facts")
        with watcher.watching("job_a", "key_a") as second:
            assert version(second) == 7
        assert [what for what, _ in jobs.asked].count("facts") == before


def test_a_change_wakes_only_those_who_wait_for_that_job(jobs, watcher):
    jobs.known |= {"job_a": 1, "job_b": 1}
    with (
        watcher.watching("job_a", "key_a") as a,
        watcher.watching("job_a", "key_a") as other_a,
        watcher.watching("job_b", "key_a") as b,
    ):
        for watch in (a, other_a, b):
            version(watch)
        before = len(jobs.asked)
        jobs.known["job_a"] = 2
        assert (version(a), version(other_a)) == (2, 2)
        assert not b.wait(0.2)
        # and the facts of one job are asked for once, however many wait for it
        assert [ids for what, ids in jobs.asked[before:] if what == "facts"] == [["job_a"]]


def test_many_who_come_at_once_are_asked_for_together(jobs, watcher):
    jobs.known = {f"job_{n}": 1 for n in range(100)}
    there = threading.Barrier(100)
    seen: list[int] = []

    def follow(job_id: str) -> None:
        there.wait(10)
        with watcher.watching(job_id, "key_a") as watch:
            seen.append(version(watch))

    threads = [threading.Thread(target=follow, args=(job_id,)) for job_id in jobs.known]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == [1] * 100
    assert len(jobs.asked) < 50


def test_who_comes_between_two_looks_is_told_at_once_and_alone(jobs, watcher, monkeypatch):
    jobs.known |= {"job_a": 1, "job_b": 1}
    monkeypatch.setattr(watching, "INTERVAL", 60)
    with watcher.watching("job_a", "key_a") as a:
        version(a)
        before = len(jobs.asked)
        with watcher.watching("job_b", "key_a") as b:
            assert version(b) == 1
        assert jobs.asked[before:] == [("facts", ["job_b"])]


def test_a_deleted_job_is_told(jobs, watcher):
    jobs.known["job_a"] = 1
    with watcher.watching("job_a", "key_a") as watch:
        version(watch)
        del jobs.known["job_a"]
        assert watch.wait(5)
        assert watch.deleted


def test_an_outage_of_the_database_is_waited_out(jobs, watcher):
    jobs.known["job_a"] = 1
    with watcher.watching("job_a", "key_a") as watch:
        version(watch)
        jobs.away.set()
        jobs.known["job_a"] = 2
        assert not watch.wait(0.3)
        jobs.away.clear()
        assert version(watch) == 2


def test_nothing_is_asked_when_nobody_waits(jobs, watcher):
    jobs.known["job_a"] = 1
    with watcher.watching("job_a", "key_a") as watch:
        version(watch)
        eventually(lambda: len(jobs.asked) > 3)
    eventually(lambda: not watcher._followed)
    threading.Event().wait(0.1)
    count = len(jobs.asked)
    threading.Event().wait(0.3)
    assert len(jobs.asked) == count


def test_news_between_two_waits_are_not_lost():
    watch = Watch("key_a")
    watch.end()
    assert watch.wait(0)
    assert watch.over
    assert not watch.wait(0)


def test_a_key_that_is_revoked_ends_its_watches_and_no_others(monkeypatch, jobs):
    monkeypatch.setattr(watching, "KEYS_INTERVAL", 0.05)
    good = {"key_a", "key_b"}
    asked: list[set[str]] = []

    def valid(keys):
        asked.append(set(keys))
        return good & set(keys)

    watcher = Watcher(jobs, valid)
    with watcher.watching("job_a", "key_a") as first, watcher.watching("job_a", "key_b") as second:
        # all keys of the process are asked for together
        eventually(lambda: {"key_a", "key_b"} in asked)
        assert not first.over
        good.remove("key_a")
        eventually(lambda: first.over)
        assert not second.over
