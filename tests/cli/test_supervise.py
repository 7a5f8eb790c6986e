"""Children are started, started again and ended in order."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from cli import supervise
from cli.supervise import Child, Supervisor, rotate
from tests.cli.conftest import clean_environment, gone, wait_until


@dataclass
class House:
    """A supervisor, and what it said."""

    supervisor: Supervisor
    logs: Path
    said: list[str] = field(default_factory=list)

    def start(self, name: str, script: str, **more) -> Child:
        child = Child(name, ("sh", "-c", script), **more)
        self.supervisor.start(child)
        return child

    def log(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text()


@pytest.fixture
def house(tmp_path) -> Iterator[House]:
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    said: list[str] = []
    made = Supervisor(clean_environment() | {"WHO": "all"}, tmp_path / "logs", lock=lock, say=said.append)
    yield House(made, tmp_path / "logs", said)
    made.kill()
    made.stop()
    os.close(lock)


#: Says that it is there, and its name when it is asked to end.
WAITS = "trap 'echo {name} >> {order}; exit' TERM; echo there; while :; do sleep 0.02; done"


def test_a_child_is_told_what_all_are_and_what_is_its_own(house):
    child = house.start("one", 'echo "$WHO $OWN"', environment={"OWN": "secret"})
    child.process.wait()
    assert house.log("one") == "all secret\n"
    assert "secret" not in repr(child)


def test_the_highest_stage_ends_first_each_when_it_is_asked(house, tmp_path):
    order = tmp_path / "order"
    names = {"redis": 0, "api": 1, "worker": 2}
    for name, stage in names.items():
        house.start(name, WAITS.format(name=name, order=order), stage=stage)
    wait_until(lambda: all(house.log(name) == "there\n" for name in names))
    house.supervisor.stop()
    assert order.read_text().split() == ["worker", "api", "redis"]
    assert house.said == []


def test_who_does_not_end_in_its_time_is_killed_with_all_its_own(house):
    child = house.start("deaf", "trap '' TERM; sleep 600 & echo $!; wait", grace=0.1)
    wait_until(lambda: house.log("deaf").endswith("\n"))
    own = psutil.Process(int(house.log("deaf")))
    house.supervisor.stop()
    assert house.said == ["deaf does not end; killing it"]
    assert child.process is None
    wait_until(lambda: gone(own))


def test_what_dies_is_started_again_and_each_time_waited_for_longer(house):
    child = house.start("dies", "echo again; exit 3")
    child.delay = 0.02
    delays = []
    while house.supervisor.failed() is None:
        child.process.wait()
        house.supervisor.check()
        assert child.process is None, "it is not started at once"
        delays.append(child.delay)
        wait_until(lambda: time.monotonic() >= child.restart_at)
        house.supervisor.check()
    child.process.wait()
    assert house.supervisor.failed() is child
    assert delays == [0.04, 0.08, 0.16]
    assert house.said == ["dies ended (exit code 3); starting it again"] * 3
    assert house.log("dies") == "again\n" * 4


@pytest.mark.parametrize(
    ("lived", "delay"),
    [(0.0, supervise.LONGEST_DELAY), (supervise.WELL_SECONDS + 1, 2 * supervise.FIRST_DELAY)],
    ids=["short", "long"],
)
def test_who_lived_long_is_started_again_soon(house, lived, delay):
    child = house.start("dies", "exit 3")
    child.delay = 20.0
    child.process.wait()
    child.started -= lived
    house.supervisor.check()
    assert child.delay == delay


def test_logs_of_earlier_starts_are_kept(tmp_path):
    log = tmp_path / "api.log"
    for number in range(7):
        log.write_text(str(number))
        rotate(log)

    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"api.log.1": "6", "api.log.2": "5", "api.log.3": "4", "api.log.4": "3"}
