"""The connection to the database, and the two ways to use it: `read` and `write`.

Owner of DATABASE_URL (default: SQLite in the user's data folder).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from jobs.errors import Unavailable
from jobs.writers import writers_of

if TYPE_CHECKING:
    # Whoever speaks to one database need not load the driver of the other.
    import sqlite3

    import psycopg

T = TypeVar("T")

#: PostgreSQL lets one of those that wait for each other go on, so that each time there is one fewer of them.
MOST_DEADLOCKS = 5

DEFAULT_URL = "sqlite:///~/.local/share/atelier/atelier.db"


def database_url() -> str:
    """DATABASE_URL, or SQLite in the user's data folder."""
    return os.environ.get("DATABASE_URL", DEFAULT_URL)


def _normalise(url: str) -> URL:
    """Accept what operators write: `postgres://`, no driver, a `~` in an SQLite path."""
    made = make_url(url)
    if made.drivername in ("postgres", "postgresql"):
        return made.set(drivername="postgresql+psycopg")
    if made.drivername == "sqlite" and made.database and made.database != ":memory:":
        return made.set(database=str(Path(made.database).expanduser()))
    return made


def load_driver() -> None:
    """Import what speaks to DATABASE_URL's database. Processes forked after that share its memory."""
    _normalise(database_url()).get_dialect().import_dbapi()


class Database:
    """A pool of connections. Cheap to build: nothing connects before the first statement.

    A transaction that meets a dead connection (the server restarted) is tried once more on a fresh one, if
    it had not reached its commit, or is `repeatable`: guarded so that doing it twice is doing it once. One
    that met a deadlock is tried again, MOST_DEADLOCKS times. A server that cannot be reached, is full,
    read-only or too slow raises Unavailable.
    """

    def __init__(self, url: str | None = None, *, pool_size: int = 8) -> None:
        self.url = _normalise(url or database_url())
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            connect_args: dict[str, object] = {"timeout": 15, "check_same_thread": False}
        else:
            # An unplugged server is noticed within seconds. One that is frozen while its kernel lives
            # (SIGSTOP) is not: its clients wait until it goes on or its connections are cut.
            connect_args = {"connect_timeout": 3, "tcp_user_timeout": 5000, "keepalives_idle": 5}
        # Errors get into logs; what a statement holds of somebody's params and addresses does not.
        self.engine = create_engine(
            self.url,
            # None beyond the pool's: opening and closing them all the time costs more than a write.
            pool_size=2 * pool_size,
            max_overflow=0,
            pool_timeout=5,
            connect_args=connect_args,
            hide_parameters=True,
        )
        if self.is_sqlite:
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine, "connect", _configure_postgresql)
        #: That of SQLite, whose writers wait in line.
        self._file = _file_of(self.url) if self.is_sqlite else None
        self._quick = self.engine.execution_options(quick_commit=True)
        # Single statements: no BEGIN and COMMIT round trips.
        self._reader = self.engine.execution_options(isolation_level="AUTOCOMMIT", read_only=True)

    def write(
        self, work: Callable[[Connection], T], *, repeatable: bool = True, survives_power_cut: bool = True
    ) -> T:
        """Run `work` in one transaction and commit it. Raises Unavailable.

        Every commit survives a kill of this process. On SQLite `survives_power_cut=False` saves the fsync
        of a commit that a power cut may undo without harm, because the processes that rely on it die with
        the machine: a claim, a heartbeat. PostgreSQL always syncs: there a lost claim would hand an attempt
        number out twice.
        """
        committing = False

        def to_commit(connection: Connection) -> T:
            nonlocal committing
            result = work(connection)
            committing = True
            return result

        def transaction() -> T:
            if self._file is not None:
                return writers_of(self._file).write(self._begin, to_commit, durable=survives_power_cut)
            with self._begin(survives_power_cut) as connection:
                return to_commit(connection)

        return self._run(transaction, lambda: repeatable or not committing)

    def _begin(self, survives_power_cut: bool) -> AbstractContextManager[Connection]:
        return (self.engine if survives_power_cut else self._quick).begin()

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection in autocommit. Raises Unavailable."""

        def reading() -> T:
            with self._reader.connect() as connection:
                return work(connection)

        return self._run(reading, lambda: True)

    def _run(self, call: Callable[[], T], may_repeat: Callable[[], bool]) -> T:
        dead = deadlocks = 0
        while True:
            try:
                return call()
            except DBAPIError as error:
                if _undone(error):
                    deadlocks += 1
                elif error.connection_invalidated and may_repeat():
                    dead += 1
                else:
                    raise _translated(error) from error
                if dead > 1 or deadlocks > MOST_DEADLOCKS:
                    raise _translated(error) from error
            except PoolTimeout as error:
                raise Unavailable("All database connections are busy.") from error

    def check(self) -> None:
        """Raise Unavailable unless the database answers and its tables are there."""
        if self.revision() is None:
            raise Unavailable("The database has no tables yet: run `atelier migrate`.")

    def revision(self) -> str | None:
        """The migration the database stands at; None for an empty one."""
        return self.read(_revision)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _file_of(url: URL) -> str | None:
    return None if url.database in (None, "", ":memory:") else os.path.realpath(url.database)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _undone(error: DBAPIError) -> bool:
    """Whether PostgreSQL ended the transaction to resolve a deadlock: nothing of it happened."""
    return getattr(error.orig, "sqlstate", None) == "40P01"


def _translated(error: DBAPIError) -> Exception:
    """Unavailable for what passes by itself; the error itself for what is our mistake."""
    # OperationalError: away, locked, full, too many connections, timed out; InternalError: read-only after a
    # failover. The drivers raise subclasses of both.
    if error.connection_invalidated or isinstance(error, (OperationalError, InternalError)):
        return Unavailable("The database cannot be reached at the moment.")
    return error


def _configure_postgresql(connection: psycopg.Connection, _record: object) -> None:
    # By SET, not as a start-up option: poolers refuse those. Migrations lift it for themselves.
    connection.execute("SET statement_timeout = '15s'; SET lock_timeout = '5s'")
    # No statement of ours runs long enough to be worth compiling, and PostgreSQL believes of some with
    # recursion that they do: then it takes a second or two for what takes milliseconds.
    connection.execute("SET jit = off")
    # Whatever runs often has its index. A plan made while a table is small would read all of it, and is kept
    # until the next ANALYZE: with 1,000 jobs a claim took 6 ms instead of one.
    connection.execute("SET enable_seqscan = off")
    connection.commit()


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver opens no transactions of its own; _begin_sqlite does
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA busy_timeout = 15000")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # Take the write lock at once: a transaction that reads first and then writes cannot wait for it
    # (SQLITE_BUSY_SNAPSHOT).
    options = connection.get_execution_options()
    if not options.get("read_only"):
        # FULL: an answered 202 survives a power cut, not only a kill. One fsync a commit.
        level = "NORMAL" if options.get("quick_commit") else "FULL"
        # The connection's until it is changed: most write the same way all the time.
        if connection.info.get("synchronous") != level:
            connection.exec_driver_sql(f"PRAGMA synchronous = {level}")
            connection.info["synchronous"] = level
        connection.exec_driver_sql("BEGIN IMMEDIATE")
