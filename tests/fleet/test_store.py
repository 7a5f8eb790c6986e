"""Living workers, what they are told, locks."""

import pytest

from fleet.store import FleetStore, Orders
from jobs.errors import NotFound


def report(fleet, worker_id, **changes):
    values = {
        "hostname": "h", "pid": 1, "queues": ["cpu"], "engines": ["echo"], "weights": [], "device": None,
    }  # fmt: skip
    return fleet.report(worker_id, **(values | changes))


def test_a_worker_that_reports_is_alive_until_it_leaves(database):
    fleet = FleetStore(database)
    report(fleet, "wrk_1")
    report(fleet, "wrk_1", device="cpu", weights=["vgg19"], models=["echo"], job_ids=["job_1", "job_2"])
    (row,) = fleet.alive()
    assert (row.device, row.weights, row.queues) == ("cpu", ["vgg19"], ["cpu"])
    assert (row.models, row.job_ids) == (["echo"], ["job_1", "job_2"])
    fleet.forget_dead(after_seconds=60)
    assert len(fleet.alive()) == 1
    fleet.leave("wrk_1")
    assert fleet.alive() == []


def test_one_holder_at_a_time(database):
    fleet = FleetStore(database)
    assert fleet.lock("sweeper", "a", seconds=30)
    assert fleet.lock("sweeper", "a", seconds=30)
    assert not fleet.lock("sweeper", "b", seconds=30)
    fleet.unlock("sweeper", "b")
    assert not fleet.lock("sweeper", "b", seconds=30)
    fleet.unlock("sweeper", "a")
    assert fleet.lock("sweeper", "b", seconds=-1)
    assert fleet.lock("sweeper", "a", seconds=30), "b's lock has run out"


class TestOrders:
    @pytest.fixture
    def fleet(self, database):
        made = FleetStore(database)
        report(made, "wrk_1")
        report(made, "wrk_2")
        return made

    def test_a_worker_learns_from_its_report_that_it_is_drained(self, fleet):
        assert report(fleet, "wrk_1") == Orders()
        fleet.drain("wrk_1")
        assert report(fleet, "wrk_1") == Orders(draining=True)
        assert report(fleet, "wrk_1").resting
        assert not report(fleet, "wrk_2").resting
        fleet.resume("wrk_1")
        assert report(fleet, "wrk_1") == Orders()

    def test_a_drained_worker_may_be_told_to_give_its_job_back_too(self, fleet):
        fleet.drain("wrk_1")
        fleet.drain("wrk_1", release=True)
        assert report(fleet, "wrk_1") == Orders(draining=True, releasing=True)
        fleet.drain("wrk_1")
        assert report(fleet, "wrk_1").releasing, "asked for once is asked for"
        fleet.resume("wrk_1")
        assert report(fleet, "wrk_1") == Orders()

    def test_a_successor_asks_before_its_first_report(self, fleet):
        fleet.drain("wrk_1")
        assert fleet.orders("wrk_1").draining
        assert fleet.orders("wrk_unknown") == Orders()

    def test_nobody_can_drain_a_worker_that_is_not_there(self, fleet):
        for ask in (fleet.drain, fleet.resume, fleet.worker):
            with pytest.raises(NotFound):
                ask("wrk_unknown")

    def test_silent_workers_are_listed_until_they_are_forgotten(self, fleet, monkeypatch):
        monkeypatch.setattr("fleet.store.ALIVE_SECONDS", -1)
        assert [row.alive for row in fleet.workers()] == [False, False]
        assert fleet.alive() == []
        fleet.forget_dead(after_seconds=-1)
        assert fleet.workers() == []


class TestQuarantine:
    @pytest.fixture
    def fleet(self, database):
        made = FleetStore(database)
        report(made, "wrk_1")
        report(made, "wrk_2")
        return made

    def test_three_different_owners_in_a_row_are_enough(self, fleet):
        assert fleet.suspect("wrk_1", "usr_a") == Orders(suspected=("usr_a",))
        assert not fleet.suspect("wrk_1", "usr_b").resting
        assert fleet.suspect("wrk_1", "usr_c").quarantined
        assert report(fleet, "wrk_1").resting
        assert fleet.worker("wrk_1").quarantined_at is not None
        assert not report(fleet, "wrk_2").resting

    def test_one_owner_alone_never_is(self, fleet):
        for _ in range(20):
            orders = fleet.suspect("wrk_1", "usr_a")
        assert orders == Orders(suspected=("usr_a",))

    def test_a_success_between_resets(self, fleet):
        fleet.suspect("wrk_1", "usr_a")
        fleet.suspect("wrk_1", "usr_b")
        fleet.trust("wrk_1")
        assert fleet.suspect("wrk_1", "usr_c") == Orders(suspected=("usr_c",))

    def test_only_a_resume_lifts_it(self, fleet):
        for owner in ("usr_a", "usr_b", "usr_c"):
            fleet.suspect("wrk_1", owner)
        since = fleet.worker("wrk_1").quarantined_at
        fleet.trust("wrk_1")
        fleet.suspect("wrk_1", "usr_d")
        assert fleet.worker("wrk_1").quarantined_at == since
        fleet.resume("wrk_1")
        assert report(fleet, "wrk_1") == Orders()

    def test_who_is_forgiven_may_work_again(self, fleet):
        for owner in ("usr_a", "usr_b", "usr_c"):
            fleet.suspect("wrk_1", owner)
        fleet.suspect("wrk_2", "usr_a")
        fleet.forgive(["wrk_1", "wrk_2", "wrk_gone"], "usr_a")
        assert fleet.orders("wrk_1") == Orders(suspected=("usr_b", "usr_c"))
        assert fleet.orders("wrk_2") == Orders()

    def test_a_worker_nobody_knows_is_not_suspected(self, fleet):
        assert fleet.suspect("wrk_gone", "usr_a") == Orders()
