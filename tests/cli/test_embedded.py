"""The embedded system before its processes: its folder, its port, its Redis."""

from __future__ import annotations

import importlib.util
import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.store import AccountStore
from cli import embedded, settings
from cli.embedded import AlreadyRunning, Lock, Plan
from cli.errors import CommandError
from jobs.database import Database
from tests.ports import own_port


@pytest.fixture
def first(tmp_path) -> Iterator[Lock]:
    """The lock of a system that has begun in this folder."""
    made = Lock(tmp_path)
    made.take(tmp_path, pytest.fail)
    yield made
    try:
        made.release()
    except OSError:  # a test let it go
        return


@pytest.fixture
def second(tmp_path) -> Iterator[Lock]:
    """That of another one."""
    made = Lock(tmp_path)
    yield made
    made.release()


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.mark.usefixtures("first")
def test_who_comes_second_is_told_where_the_first_listens(second, tmp_path):
    here = settings.Running("http://127.0.0.1:8080", os.getpid())
    settings.write_running(tmp_path, here)
    with pytest.raises(AlreadyRunning) as found:
        second.take(tmp_path, pytest.fail)
    assert found.value.state == here


def test_the_remains_of_a_killed_system_are_waited_for(first, second, tmp_path):
    settings.write_running(tmp_path, settings.Running("http://127.0.0.1:8080", dead_pid()))
    said = []

    def say(text: str) -> None:
        said.append(text)
        first.release()

    second.take(tmp_path, say)
    assert said == ["Waiting for an earlier system in this folder to start or to end ..."]


@pytest.mark.usefixtures("first")
def test_nobody_waits_for_ever(second, tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "CLEANUP_SECONDS", -1.0)
    with pytest.raises(AlreadyRunning) as found:
        second.take(tmp_path, pytest.fail)
    assert found.value.state is None


def test_the_folder_s_key_is_made_once_and_anew_when_the_database_does_not_know_it(tmp_path):
    environment = settings.environment(tmp_path)
    key = settings.key_file(tmp_path)

    def known(text: str) -> bool:
        database = Database(environment["DATABASE_URL"])
        try:
            found = AccountStore(database).authenticate(text)
        finally:
            database.close()
        return found is not None and found.admin

    embedded.prepare(tmp_path, environment)
    made = key.read_text().strip()
    assert known(made)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    embedded.prepare(tmp_path, environment)
    assert key.read_text().strip() == made

    key.write_text("atl_of_another_database\n")
    embedded.prepare(tmp_path, environment)
    assert known(key.read_text().strip())


def test_a_port_is_free_or_the_reason_is_said():
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(CommandError, match=f"port {taken} of 127.0.0.1 is taken.*--port 0"):
            embedded.check_port("127.0.0.1", taken)
        assert embedded.check_port("127.0.0.1", 0) not in (0, taken)
    own = own_port()
    assert embedded.check_port("127.0.0.1", own) == own
    with pytest.raises(CommandError, match=r"203\.0\.113\.1 is no address of this machine"):
        embedded.check_port("203.0.113.1", 0)
    with pytest.raises(CommandError, match=r"port 80 of 203\.0\.113\.1 cannot be used"):
        embedded.check_port("203.0.113.1", 80)


@pytest.mark.parametrize(
    ("workers", "names"),
    [(0, []), (1, ["worker"]), (2, ["worker-1", "worker-2"])],
    ids=["none", "one", "two"],
)
def test_workers_have_names_and_end_before_the_api(workers, names):
    plan = Plan(Path(), "127.0.0.1", 8080, workers, "cpu", token="1:secret")
    made = {child.name: child for child in embedded.children(plan)}
    assert list(made) == ["api", "sweeper", "webhooks", *names]
    assert all(made[name].stage > made["api"].stage for name in names)
    assert all(made[name].grace == embedded.WORKER_GRACE for name in names)
    assert "secret" not in repr(plan)


def test_the_one_in_the_wheel_is_known_as_such(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # none of the system's

    assert embedded.is_bundled(embedded.redis_binary())
    assert not embedded.is_bundled(str(tmp_path / "bin" / "redis-server"))


def test_without_any_redis_it_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)

    with pytest.raises(CommandError, match=r"atelier\[embedded\].*REDIS_URL"):
        embedded.redis_binary()


def test_redis_keeps_what_it_is_told_for_the_bot_alone(tmp_path):
    folder = tmp_path / 'a "quoted" \\ name'
    folder.mkdir()
    for keep, word in ((True, "yes"), (False, "no")):
        embedded.redis_child(folder, keep=keep)
        text = (folder / "redis" / "redis.conf").read_text()
        assert f"appendonly {word}\n" in text
        assert 'a \\"quoted\\" \\\\ name/redis"\n' in text


def test_the_end_of_a_log_is_told_and_none_where_there_is_none(tmp_path):
    log = tmp_path / "api.log"
    assert embedded.tail(log) == ""
    log.write_bytes(b"\n".join(b"line %d" % number for number in range(20)) + b"\n\xff\n")
    assert embedded.tail(log, 3) == "line 18\nline 19\n\N{REPLACEMENT CHARACTER}"
