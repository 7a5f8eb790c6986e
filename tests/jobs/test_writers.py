from __future__ import annotations

import fcntl
import multiprocessing
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, text

from jobs import writers
from jobs.database import Database
from jobs.errors import Unavailable
from jobs.writers import writers_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/a.db"


@pytest.fixture
def database(url) -> Iterator[Database]:
    """An SQLite file with a table of notes."""
    made = Database(url)
    made.write(lambda c: c.execute(text("CREATE TABLE notes (n INTEGER PRIMARY KEY, who TEXT UNIQUE)")))
    yield made
    made.close()


def note(who: str) -> Callable:
    return lambda c: c.execute(text("INSERT INTO notes (who) VALUES (:who)"), {"who": who})


def notes(database: Database) -> list[str]:
    return database.read(lambda c: list(c.execute(text("SELECT who FROM notes ORDER BY n")).scalars()))


def line(url: str) -> writers.Writers:
    return writers_of(url.removeprefix("sqlite:///"))


def until(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")


class Waiting:
    """Threads that write one after the other what they are told, each started when the last one waits."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.errors: dict[str, Exception] = {}
        self._threads: list[threading.Thread] = []

    def write(self, who: str, database: Database, work: Callable | None = None, **options) -> None:
        def run() -> None:
            try:
                database.write(work or note(who), **options)
            except Exception as error:  # noqa: BLE001  # the test looks at it
                self.errors[who] = error

        before = line(self.url).waiting
        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()
        until(lambda: line(self.url).waiting > before)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


@contextmanager
def held(database: Database, who: str = "first") -> Iterator[Callable[[], None]]:
    """Somebody writes meanwhile, or until they are told to end."""
    begun, enough = threading.Event(), threading.Event()

    def work(connection) -> None:
        note(who)(connection)
        begun.set()
        enough.wait()

    thread = threading.Thread(target=database.write, args=(work,))
    thread.start()
    begun.wait()
    try:
        yield enough.set
    finally:
        enough.set()
        thread.join()


def test_those_who_wait_write_in_the_order_they_came_in_one_transaction(database, url):
    commits = []
    event.listen(database.engine, "commit", commits.append)
    waiting = Waiting(url)
    with held(database):
        for who in "edcba":
            waiting.write(who, database)
    waiting.join()
    assert notes(database) == ["first", *"edcba"]
    assert len(commits) == 2


def test_what_one_of_them_raises_undoes_its_own_work_and_reaches_its_own_thread(database, url):
    def fail(connection) -> None:
        note("never")(connection)
        raise LookupError

    waiting = Waiting(url)
    with held(database):
        waiting.write("before", database)
        waiting.write("fails", database, fail)
        waiting.write("twice", database, note("before"))
        waiting.write("after", database)
    waiting.join()
    assert notes(database) == ["first", "before", "after"]
    assert {who: type(error).__name__ for who, error in waiting.errors.items()} == {
        "fails": "LookupError",
        "twice": "IntegrityError",
    }


def test_a_commit_that_fails_fails_for_all_who_were_in_it(database, url):
    refusing = threading.Event()
    commits = []

    def refuse(connection) -> None:
        commits.append(connection)
        if refusing.is_set() and len(commits) == 2:
            raise OSError("the disk is gone")

    waiting = Waiting(url)
    with held(database):
        for who in "abc":
            waiting.write(who, database)
        event.listen(database.engine, "commit", refuse)
        refusing.set()
    waiting.join()
    assert {who: type(error).__name__ for who, error in waiting.errors.items()} == {
        "a": "OSError",
        "b": "Unavailable",
        "c": "Unavailable",
    }
    assert notes(database) == ["first"]
    refusing.clear()
    database.write(note("next"))
    assert notes(database) == ["first", "next"]


def test_a_commit_survives_a_power_cut_if_one_in_it_has_to(database, url):
    found = {}

    def look(who: str) -> Callable:
        def work(connection) -> None:
            found[who] = connection.execute(text("PRAGMA synchronous")).scalar_one()

        return work

    database.write(look("quick"), survives_power_cut=False)
    waiting = Waiting(url)
    with held(database):
        waiting.write("with", database, look("with"), survives_power_cut=False)
        waiting.write("durable", database, look("durable"))
    waiting.join()
    assert found == {"quick": 1, "with": 2, "durable": 2}


def test_two_objects_of_one_file_share_its_line(database, url, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    other = Database(f"sqlite:///{tmp_path}/link/a.db")
    waiting = Waiting(url)
    with held(database):
        waiting.write("a", other)
        waiting.write("b", database)
    waiting.join()
    assert notes(other) == ["first", "a", "b"]
    other.close()


def test_whoever_waits_too_long_is_told_and_the_line_goes_on(database, url, monkeypatch):
    monkeypatch.setattr(writers, "PATIENCE", 0.05)
    with held(database):
        with pytest.raises(Unavailable):
            database.write(note("late"))
        assert line(url).waiting == 0
    database.write(note("next"))
    assert notes(database) == ["first", "next"]


def test_what_is_refused_can_no_longer_be_done(database, url, monkeypatch):
    """Between the decision to refuse a work and its leaving the line, the writer may look for more."""
    monkeypatch.setattr(writers, "PATIENCE", 0.05)
    refusing = writers._too_late
    in_line = []
    monkeypatch.setattr(writers, "_too_late", lambda: in_line.append(line(url).waiting) or refusing())
    with held(database), pytest.raises(Unavailable):
        database.write(note("late"))
    assert in_line == [0]


def test_a_thread_that_is_interrupted_at_its_turn_lets_the_next_one_go(database, monkeypatch):
    def interrupted(*_) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writers, "_turn", interrupted)
        with pytest.raises(KeyboardInterrupt):
            database.write(note("interrupted"))
    database.write(note("next"))
    assert notes(database) == ["next"]


def test_a_write_within_a_write_fails_at_once(database):
    with pytest.raises(RuntimeError, match="within a write"):
        database.write(lambda _: database.write(note("inner")))
    database.write(note("next"))
    assert notes(database) == ["next"]


# --- other processes --------------------------------------------------------------------------------

WRITER = """
import sys
from sqlalchemy import text
from jobs.database import Database

def work(connection):
    connection.execute(text("INSERT INTO notes (who) VALUES ('child')"))
    if "hold" in sys.argv:
        print("writing", flush=True)
        sys.stdin.read()

Database(sys.argv[1]).write(work)
"""


@contextmanager
def child(url: str, *arguments: str) -> Iterator[subprocess.Popen]:
    """Another process that writes a note."""
    command = [sys.executable, "-c", WRITER, url, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_process_that_is_stopped_while_it_writes_is_waited_for_with_a_limit_and_killed_is_not(
    database, url, monkeypatch
):
    with child(url, "hold") as process:
        assert process.stdout.readline() == b"writing\n"
        with monkeypatch.context() as patch:
            patch.setattr(writers, "PATIENCE", 0.05)
            with pytest.raises(Unavailable):
                database.write(note("late"))
        process.send_signal(signal.SIGKILL)
        process.wait()
        database.write(note("next"))
    assert notes(database) == ["next"]


def test_a_process_that_has_just_written_comes_behind_one_that_waits(database, url, tmp_path):
    def somebody_is_next() -> bool:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)
        except OSError:
            return True
        fcntl.lockf(file, fcntl.LOCK_UN, 1, 0)
        return False

    # Closed last: closing any descriptor of it gives back all this process has locked.
    with (tmp_path / "a.db-line").open("ab") as file:
        waiting = Waiting(url)
        with held(database) as release, child(url) as process:
            until(somebody_is_next)
            for who in "abc":
                waiting.write(who, database)
            release()
            process.wait()
        waiting.join()
    assert notes(database) == ["first", "child", *"abc"]


def test_a_forked_process_writes_whatever_its_parent_s_threads_waited_for(database, url):
    def write() -> None:
        Database(url).write(note("fork"))

    waiting = Waiting(url)
    with child(url, "hold") as process:
        assert process.stdout.readline() == b"writing\n"
        waiting.write("parent", database)
        fork = multiprocessing.get_context("fork").Process(target=write)
        fork.start()
        process.kill()
        fork.join()
        waiting.join()
    assert fork.exitcode == 0
    assert sorted(notes(database)) == ["fork", "parent"]
