"""The two ways to use the database, and what is said when it does not answer or we are wrong."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from jobs.database import MOST_DEADLOCKS, Database
from jobs.errors import Unavailable

LOCKS = text("SELECT count(*) FROM locks")
LOCK = text("INSERT INTO locks (name, holder, until) VALUES ('a', 'b', '2027-01-01')")


class Deadlock(Exception):
    """As psycopg tells of one."""

    sqlstate = "40P01"


def failing(times: int, error: DBAPIError):
    """What fails so often before it works, and how often it was tried."""
    tried = []

    def work(connection):
        tried.append(connection)
        if len(tried) <= times:
            raise error
        return len(tried)

    return work, tried


def deadlock() -> DBAPIError:
    return DBAPIError("UPDATE", {}, Deadlock())


def dead() -> DBAPIError:
    return DBAPIError("UPDATE", {}, Exception(), connection_invalidated=True)


def test_an_error_does_not_show_what_a_statement_held(database):
    # Each is our mistake in the eyes of its database, and no outage, which would be told in words of ours.
    wrong = "INSERT INTO job_inputs (job_id) VALUES (:url)" if database.is_sqlite else "SELECT nothing, :url"
    with pytest.raises(DBAPIError) as raised:
        database.write(lambda c: c.execute(text(wrong), {"url": "https://hook.example/secret"}))
    assert wrong[:14] in str(raised.value)
    assert "hook.example" not in str(raised.value)


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("postgres://ada@db/a", "postgresql+psycopg://ada@db/a"),
        ("postgresql://ada@db/a", "postgresql+psycopg://ada@db/a"),
        ("postgresql+psycopg://ada@db/a?sslmode=require", "postgresql+psycopg://ada@db/a?sslmode=require"),
    ],
)
def test_urls_are_taken_as_operators_write_them(written, url):
    made = Database(written)
    assert made.url.render_as_string() == url
    made.close()


def test_a_file_below_the_home_folder_gets_its_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "sqlite:///~/new/folder/a.db")
    made = Database()
    assert made.read(lambda c: c.execute(text("SELECT 1")).scalar_one()) == 1
    made.close()
    assert (tmp_path / "new/folder/a.db").is_file()


def test_what_is_written_is_there_when_it_returns_and_gone_when_it_raises(database):
    def broken(connection):
        connection.execute(LOCK)
        raise KeyError("ours")

    with pytest.raises(KeyError):
        database.write(broken)
    assert database.read(lambda c: c.execute(LOCKS).scalar_one()) == 0
    database.write(lambda c: c.execute(LOCK))
    assert database.read(lambda c: c.execute(LOCKS).scalar_one()) == 1


def test_a_dead_connection_is_tried_once_more(sqlite_database):
    work, tried = failing(1, dead())
    assert sqlite_database.write(work) == 2
    assert sqlite_database.read(failing(1, dead())[0]) == 2
    work, tried = failing(2, dead())
    with pytest.raises(Unavailable):
        sqlite_database.write(work)
    assert len(tried) == 2


def test_a_deadlock_is_tried_again_so_many_times(sqlite_database):
    work, _ = failing(MOST_DEADLOCKS, deadlock())
    assert sqlite_database.write(work) == MOST_DEADLOCKS + 1
    work, tried = failing(99, deadlock())
    with pytest.raises(DBAPIError):
        sqlite_database.write(work)
    assert len(tried) == MOST_DEADLOCKS + 1


def test_a_commit_whose_answer_was_lost_is_repeated_only_where_that_is_harmless(
    postgres_database, monkeypatch
):
    database, tried = postgres_database, []
    begin = database._begin

    class Losing:
        """The first commit reaches the server, and its answer nobody."""

        def __init__(self, quick):
            self._inner = begin(quick)

        def __enter__(self):
            return self._inner.__enter__()

        def __exit__(self, *error):
            self._inner.__exit__(*error)
            if len(tried) == 1:
                raise dead()

    monkeypatch.setattr(database, "_begin", Losing)
    with pytest.raises(Unavailable):
        database.write(lambda _: tried.append(1), repeatable=False)
    assert len(tried) == 1
    tried.clear()
    database.write(lambda _: tried.append(1))
    assert len(tried) == 2


@pytest.mark.parametrize("ours", [False, True], ids=["an outage", "our mistake"])
def test_only_what_passes_by_itself_is_an_outage(sqlite_database, ours):
    error = DBAPIError("SELECT", {}, Exception()) if ours else OperationalError("SELECT", {}, Exception())
    with pytest.raises(DBAPIError if ours else Unavailable):
        sqlite_database.read(failing(9, error)[0])


def test_an_empty_database_says_what_to_do(tmp_path):
    made = Database(f"sqlite:///{tmp_path}/empty.db")
    assert made.revision() is None
    with pytest.raises(Unavailable, match="atelier migrate"):
        made.check()
    made.close()


def test_a_migrated_one_is_in_order(database):
    database.check()
    assert database.revision()


def test_where_nobody_listens_it_is_an_outage():
    made = Database("postgresql://ada@127.0.0.1:1/a")
    with pytest.raises(Unavailable):
        made.read(lambda c: c.execute(text("SELECT 1")))
    made.close()


@pytest.mark.parametrize(("survives", "level"), [(True, 2), (False, 1)], ids=["full", "normal"])
def test_sqlite_syncs_what_has_to_survive_a_power_cut(sqlite_database, survives, level):
    def synchronous(connection):
        return connection.exec_driver_sql("PRAGMA synchronous").scalar_one()

    assert sqlite_database.write(synchronous, survives_power_cut=survives) == level
