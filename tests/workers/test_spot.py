"""Spot machines: whatever signal ends a worker, its job goes on elsewhere from its checkpoint."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from engines.neural_style.model import VGG19
from tests.services import redis_server
from tests.workers.house import House
from workers import settings

pytestmark = pytest.mark.waits

SIGNALS = [signal.SIGTERM, signal.SIGINT]
#: What a spot machine gives, and what the issue asks for.
GRACE_SECONDS = 20.0


@pytest.fixture
def house(sqlite_database, tmp_path, monkeypatch):
    with redis_server() as redis:
        made = House(sqlite_database, tmp_path, redis, monkeypatch)
        yield made
        made.close()


def ended(worker, since):
    """That it ended well and in time."""
    assert worker.wait(timeout=GRACE_SECONDS + 10) == 0
    assert time.monotonic() - since < GRACE_SECONDS


@pytest.mark.parametrize("number", SIGNALS, ids=lambda n: n.name)
@pytest.mark.parametrize("whom", ["parent", "group"])
def test_a_signal_gives_the_job_back_with_its_checkpoint(house, number, whom):
    worker = house.start("workers")
    job_id = house.submit(6)
    done = house.until_progress(job_id, 0.3)

    told = time.monotonic()
    worker.send_signal(number) if whom == "parent" else house.signal_all(worker, number)
    house.until(job_id, "queued")
    ended(worker, told)

    assert house.fleet.workers() == [], "it said good-bye"
    assert "child_killed" not in house.log_file.read_text(), "by itself"
    house.start("workers")
    if whom == "parent":
        house.start("workers.sweep")  # nobody rings for a job that was given back but the sweeper
    else:
        house.doorbell.wake("cpu")
    assert house.until_progress(job_id, 0.01, attempt=2) >= done - 0.1
    row = house.until(job_id, "succeeded")
    assert (row.attempt, row.failures, row.died_on) == (2, 0, None)


def test_more_signals_lose_nothing(house):
    """An impatient operator, and a supervisor that signals the group after its parent."""
    worker = house.start("workers")
    job_id = house.submit(6)
    done = house.until_progress(job_id, 0.3)

    told = time.monotonic()
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
        house.signal_all(worker, number)
        time.sleep(0.02)
    house.until(job_id, "queued")
    ended(worker, told)

    house.start("workers")
    house.doorbell.wake("cpu")
    assert house.until_progress(job_id, 0.01, attempt=2) >= done - 0.1
    assert house.until(job_id, "succeeded").failures == 0


@pytest.mark.parametrize("number", SIGNALS, ids=lambda n: n.name)
def test_an_idle_worker_ends_at_once(house, number):
    worker = house.start("workers")
    house.child()
    told = time.monotonic()
    house.signal_all(worker, number)
    assert worker.wait(timeout=GRACE_SECONDS) == 0
    assert time.monotonic() - told < settings.DRAIN_SECONDS, "nothing is waited for"


def test_a_drained_worker_ends_at_once_too(house):
    worker = house.start("workers")
    house.child()
    (row,) = house.fleet.workers()
    house.fleet.drain(row.id)
    time.sleep(3 * settings.REPORT_SECONDS)
    waiting = house.submit(0)
    time.sleep(2)
    assert house.store.get(waiting).state == "queued"
    told = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=GRACE_SECONDS) == 0
    assert time.monotonic() - told < settings.DRAIN_SECONDS


@pytest.mark.parametrize("after", [0.3, 1.5, 3.0])
def test_a_worker_that_is_still_starting_ends_too(house, after):
    worker = house.start("workers")
    time.sleep(after)
    told = time.monotonic()
    house.signal_all(worker, signal.SIGTERM)
    # Before Python has installed a handler, the signal's own way to end a process is as good.
    assert worker.wait(timeout=GRACE_SECONDS) in (0, -signal.SIGTERM)
    assert time.monotonic() - told < GRACE_SECONDS


def test_an_engine_that_does_not_stop_is_ended_and_its_job_is_not_charged(house):
    worker = house.start("workers")
    job_id = house.submit(4)
    house.until(job_id, "running")
    os.kill(house.child(), signal.SIGSTOP)

    told = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    ended(worker, told)

    row = house.store.get(job_id)
    assert (row.state, row.failures, row.died_on) == ("queued", 0, None)
    house.start("workers")
    house.doorbell.wake("cpu")
    assert house.until(job_id, "succeeded").attempt == 2


def test_a_broker_that_hangs_does_not_hold_the_exit(house):
    worker = house.start("workers")
    job_id = house.submit(30)
    house.until(job_id, "running")
    os.kill(house.redis.pid, signal.SIGSTOP)
    try:
        told = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        house.until(job_id, "queued")
        ended(worker, told)
    finally:
        os.kill(house.redis.pid, signal.SIGCONT)


def test_who_is_killed_after_its_grace_goes_on_from_its_last_checkpoint(house):
    """SIGTERM, a machine too slow to obey, and SIGKILL, as Kubernetes does it."""
    worker = house.start("workers")
    house.start("workers.sweep")
    job_id = house.submit(4 * settings.CHECKPOINT_SECONDS)
    give_up = time.monotonic() + 90
    while (row := house.store.get(job_id)).checkpoint_key is None:
        assert time.monotonic() < give_up
        time.sleep(0.1)
    os.kill(house.child(), signal.SIGSTOP)
    worker.send_signal(signal.SIGTERM)
    time.sleep(2)
    house.kill_all(worker)

    house.start("workers")
    assert house.until_progress(job_id, 0.01, attempt=2) >= row.progress - 0.1
    assert house.until(job_id, "succeeded").attempt == 2


# ---- a real engine -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pictures():
    def picture(name):
        found = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        found.thumbnail((320, 320))
        return found

    return picture("chelsea"), picture("coffee")


def interrupted(house, module, number, submit, least):
    """The result of a job whose first worker was ended by a signal, and of one nobody disturbed."""
    worker = house.start(module)
    undisturbed = submit()
    house.until(undisturbed, "succeeded", seconds=120)
    job_id = submit()
    done = house.until_progress(job_id, least, seconds=120)

    told = time.monotonic()
    house.signal_all(worker, number)
    house.until(job_id, "queued", seconds=20)
    ended(worker, told)

    house.start(module)
    house.doorbell.wake("gpu")
    assert house.until_progress(job_id, 0.01, attempt=2, seconds=120) >= done - 0.1, "from its checkpoint"
    row = house.until(job_id, "succeeded", seconds=120)
    assert (row.attempt, row.failures) == (2, 0)
    return house.picture(job_id), house.picture(undisturbed)


@pytest.mark.timeout(300)
def test_patches_go_on_elsewhere_to_the_same_picture(house, pictures):
    content, style = map(house.upload, pictures)
    resumed, whole = interrupted(
        house,
        "workers",
        signal.SIGTERM,
        lambda: house.submit_style(content, style, size=256, quality="best"),
        least=0.3,
    )
    assert np.array_equal(resumed, whole)


@pytest.mark.timeout(300)
def test_gatys_goes_on_elsewhere_to_the_same_picture(house, pictures, tmp_path):
    torch.manual_seed(0)
    network = VGG19()
    weights = {
        f"features.{index}.{name}": value
        for index, layer in zip(network.published, network.layers, strict=True)
        for name, value in layer.state_dict().items()
    }
    torch.save(weights, tmp_path / "vgg19-dcbb9e9d.pth")
    # One thread: on two, two whole runs in two processes already differ in their last bits.
    house.set(ATELIER_WEIGHTS_DIR=str(tmp_path), OMP_NUM_THREADS="1")
    content, style = map(house.upload, pictures)
    resumed, whole = interrupted(
        house,
        "tests.workers.random_vgg",
        signal.SIGINT,
        lambda: house.submit_style(content, style, method="gatys", size=72, quality="draft"),
        least=0.2,
    )
    assert np.array_equal(resumed, whole)
