"""The parent: light, asks its child to end, ends it when it does not, and sees to what a dead one held."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from workers import parent as module
from workers import settings
from workers.parent import Freer, Parent


def test_it_imports_nothing_that_only_its_child_needs():
    """In a fresh process, with everything that `python -m workers` imports before it is a parent."""
    program = """
import sys
import celery.apps.worker, celery.concurrency.prefork, celery.worker.consumer
import workers.__main__
heavy = {"sqlalchemy", "pydantic", "PIL", "httpcore", "torch", "engines", "storage", "jobs.store"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


class Freers:
    """Stands for `Freer`: each that is made remembers how often it was told."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def __call__(self):
        number = len(self.told)
        self.told.append(0)

        def free():
            self.told[number] += 1

        return SimpleNamespace(free=free)


@pytest.fixture
def freers(monkeypatch):
    made = Freers()
    monkeypatch.setattr(module, "Freer", made)
    return made


@pytest.fixture
def world(monkeypatch):
    """Signals that were sent and a clock that only sleeping moves; nothing runs in a thread by itself."""
    made = SimpleNamespace(signals=[], now=0.0, threads=[], exits=[])

    def sleep(seconds):
        made.now += seconds

    def thread(target, **_):
        return SimpleNamespace(start=lambda: made.threads.append(target))

    def send(pid, number):
        made.signals.append((made.now, pid, number))

    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(module, "threading", SimpleNamespace(Thread=thread, Lock=threading.Lock))
    monkeypatch.setattr(module.os, "kill", send)
    monkeypatch.setattr(module.os, "_exit", lambda code: made.exits.append((made.now, code)))
    return made


def parent(*pids):
    children = [SimpleNamespace(pid=pid) for pid in pids]
    return Parent(SimpleNamespace(pool=SimpleNamespace(_pool=SimpleNamespace(_pool=children))))


def test_it_asks_its_child_once_however_often_it_is_told(world, freers):
    made = parent(11)
    for _ in range(3):
        made.drain()
    assert world.signals == [(0.0, 11, signal.SIGUSR2)]
    assert len(world.threads) == 2
    assert freers.told == []


def test_a_child_that_does_not_end_is_killed_and_its_job_freed_by_who_stands_by(world, freers):
    made = parent(11)
    made.drain()
    end_late, _ = world.threads
    end_late()
    assert world.signals[1:] == [(settings.DRAIN_SECONDS, 11, signal.SIGKILL)]
    assert freers.told == [1]
    made.child_died()
    assert len(freers.told) == 1, "the same one is told"


def test_it_is_gone_in_the_end_whatever_holds_it(world, freers):  # noqa: ARG001
    made = parent(11)
    made.drain()
    _, end_at_last = world.threads
    end_at_last()
    assert world.exits == [(settings.EXIT_SECONDS, 0)]


def test_the_next_child_hears_that_one_died(world, freers, monkeypatch):  # noqa: ARG001
    told = []
    monkeypatch.setattr(settings, "hand_down_death", lambda: told.append(1))
    parent(11).child_died()
    assert (told, freers.told) == ([1], [])


def test_a_child_that_dies_while_it_ends_has_no_next_one(world, freers, monkeypatch):  # noqa: ARG001
    told = []
    monkeypatch.setattr(settings, "hand_down_death", lambda: told.append(1))
    made = parent(11)
    made.drain()
    made.child_died()
    assert (told, freers.told) == ([], [1])


def test_a_pool_without_children_is_left_alone(world, freers):  # noqa: ARG001
    made = Parent(SimpleNamespace(pool=SimpleNamespace()))
    made.drain()
    assert world.signals == []


def test_a_child_that_has_gone_meanwhile_is_no_error(world, freers, monkeypatch):  # noqa: ARG001
    def gone(_pid, _number):
        raise ProcessLookupError

    monkeypatch.setattr(module.os, "kill", gone)
    parent(11).drain()
    end_late, _ = world.threads
    end_late()


class TestFreer:
    """The process itself is tried by `test_lost_child.py` and `test_spot.py`."""

    @pytest.fixture
    def told(self, monkeypatch, tmp_path):
        """What is started instead appends what it was told to this file."""
        file = tmp_path / "told"
        write = f"import sys; open({str(file)!r}, 'a').write(sys.stdin.readline())"
        real = subprocess.Popen

        def start(_command, **how):
            return real([sys.executable, "-c", write], **how)

        monkeypatch.setattr(module.subprocess, "Popen", start)
        return file

    def test_it_is_told_once_and_waited_for(self, told):
        freer = Freer()
        for _ in range(2):
            freer.free()
        assert told.read_text() == "\n"

    def test_it_ends_untold_with_its_parent(self, told):
        freer = Freer()
        freer._process.stdin.close()
        assert freer._process.wait(30) == 0
        assert told.read_text() == ""

    def test_a_machine_that_can_start_nothing_leaves_it_to_the_lease(self, monkeypatch):
        def none_left(*_, **__):
            raise OSError("no memory")

        monkeypatch.setattr(module.subprocess, "Popen", none_left)
        Freer().free()
