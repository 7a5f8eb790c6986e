"""What a worker is told by its environment, and tells the processes it starts."""

from __future__ import annotations

import os

import pytest

from queue_config import QUEUES
from workers import settings


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """One of the test's own, without any of ours."""
    made = {"PATH": "/bin"}
    monkeypatch.setattr(os, "environ", made)
    return made


@pytest.mark.parametrize(
    ("named", "queues"),
    [(None, QUEUES), ("", QUEUES), (" , ", QUEUES), ("cpu", ("cpu",)), (" cpu , gpu,", ("cpu", "gpu"))],
    ids=["unset", "empty", "commas", "one", "two"],
)
def test_the_queues_are_those_named_or_all(environment, named, queues):
    if named is not None:
        environment["ATELIER_QUEUES"] = named
    assert settings.queues() == queues


def test_networks_are_kept_in_a_folder_of_this_user_s_unless_one_is_named(environment, tmp_path):
    assert settings.networks_dir().name == f"atelier-networks-{os.getuid()}"
    environment["ATELIER_NETWORKS_DIR"] = str(tmp_path)
    assert settings.networks_dir() == tmp_path
    environment["ATELIER_NETWORKS_DIR"] = "~/networks"
    environment["HOME"] = str(tmp_path)
    assert settings.networks_dir() == tmp_path / "networks"


@pytest.mark.parametrize(("named", "size"), [(None, 2 * 2**30), ("", 2 * 2**30), ("5", 5)])
def test_they_may_take_so_much(environment, named, size):
    if named is not None:
        environment["ATELIER_NETWORKS_BYTES"] = named
    assert settings.networks_bytes() == size


def test_a_child_knows_its_name_its_queues_and_whether_it_is_the_first(environment):
    assert (settings.worker_id(), settings.is_successor()) == (None, False)
    environment["ATELIER_CHILD_DIED"] = "1"  # of a worker that this one was started by, say
    settings.hand_down("wrk_1", ("cpu",))
    assert (settings.worker_id(), settings.queues(), settings.is_successor()) == ("wrk_1", ("cpu",), False)
    settings.hand_down_death()
    assert (settings.worker_id(), settings.is_successor()) == ("wrk_1", True)


@pytest.mark.parametrize(("before", "after"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_wait_without_spinning_unless_somebody_wants_that(environment, before, after):
    if before is not None:
        environment["OMP_WAIT_POLICY"] = before
    settings.hand_down("wrk_1", ("cpu",))
    assert environment["OMP_WAIT_POLICY"] == after


def test_times_fit_into_each_other():
    """A lease outlives a missed renewal, a drain its killer, and an exit what a spot machine gives."""
    assert 2 * settings.RENEW_SECONDS < settings.LEASE_SECONDS
    assert settings.POLL_SECONDS < settings.RENEW_SECONDS
    assert settings.FREER_SECONDS < settings.DRAIN_SECONDS < settings.EXIT_SECONDS < 20
    assert settings.GIVE_UP_SECONDS > settings.LEASE_SECONDS
