"""Who wants to write to an SQLite file, in line. Nobody is overtaken; who waits together commits together.

SQLite lets whoever finds its write lock taken sleep and try again, up to 100 ms at a time, and whoever comes
at the right moment goes first: with eight clients one submission in a hundred took a second. So here

within a process   the first who comes writes. Those who come meanwhile wait in order, and then the first of
                   them writes for all: one transaction and one fsync, with a savepoint for each
among processes    a file beside the database has two bytes to lock: for who writes and for who is next. A
                   process that has just written comes behind one that waits already

This orders those who wait and no more: that only one at a time writes is SQLite's business.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from jobs.errors import Unavailable

T = TypeVar("T")

#: Seconds that a writer waits.
PATIENCE = 15.0
#: Works in one transaction.
MOST = 32
#: Seconds between two looks at a lock of another process; a transaction takes one or two milliseconds.
_SHORTEST, _LONGEST = 0.0002, 0.002
_NEXT, _WRITING = 0, 1

#: A transaction in which what is committed survives a power cut, or need not.
Begin = Callable[[bool], AbstractContextManager[Connection]]


class _Write(Generic[T]):
    """One work that waits to be done, and what came of it."""

    def __init__(self, work: Callable[[Connection], T], *, durable: bool) -> None:
        self.durable = durable
        #: Set when it is done, or when it is its thread's turn to write.
        self.called = threading.Event()
        self.taken = False
        self.committed = False
        self._work = work
        self._error: Exception | None = None

    def run(self, connection: Connection) -> None:
        """Alone in its transaction, in its own thread."""
        self._value = self._work(connection)

    def run_beside_others(self, connection: Connection) -> None:
        """What it raises undoes what it did, and nothing else. Raises when SQLite has undone everything."""
        try:
            with connection.begin_nested():
                self._value = self._work(connection)
        except Exception as error:  # raised again in the thread whose work it is
            self._error = error
            if not connection.connection.in_transaction:
                raise

    def fail(self, error: Exception) -> None:
        self._error = error

    def result(self) -> T:
        """What the work returned. Raises what it raised; Unavailable if nothing was committed."""
        if self._error is not None:
            raise self._error
        if not self.committed:
            raise Unavailable("The database was not written to: the transaction was broken off.")
        return self._value


#: Whatever comes of it: works of all kinds stand in one line.
_AnyWrite = _Write[Any]


class Writers:
    """The line of one file in this process."""

    def __init__(self, path: Path) -> None:
        self._file = path
        self._mutex = threading.Lock()
        self._waiting: deque[_AnyWrite] = deque()
        #: Whose thread writes, or is called to.
        self._called: _AnyWrite | None = None
        #: The thread that is within a transaction.
        self._writing: int | None = None

    @property
    def waiting(self) -> int:
        """How many works wait to be taken into a transaction."""
        with self._mutex:
            return len(self._waiting)

    def write(self, begin: Begin, work: Callable[[Connection], T], *, durable: bool) -> T:
        """Do `work` in a transaction, maybe in another thread and together with other works.

        Raises what it raises, what `begin` does, and Unavailable after PATIENCE seconds.
        """
        if self._writing == threading.get_ident():
            raise RuntimeError("a write within a write would wait for itself")
        until = time.monotonic() + PATIENCE
        mine = _Write(work, durable=durable)
        try:
            self._wait(mine, until)
            if not mine.taken:
                self._lead(begin, until)
        finally:
            self._leave(mine)
        return mine.result()

    def _wait(self, mine: _AnyWrite, until: float) -> None:
        """Until the work is done, or it is this thread's turn to do it. Raises Unavailable."""
        with self._mutex:
            self._waiting.append(mine)
            self._call_first()
        if not mine.called.wait(until - time.monotonic()):
            with self._mutex:
                # In one step: what is refused must not be done after all.
                gives_up = not mine.taken
                if gives_up:
                    self._waiting.remove(mine)
            if gives_up:
                raise _too_late()
            mine.called.wait()  # somebody is at it

    def _lead(self, begin: Begin, until: float) -> None:
        """Write for the first in line, which is this thread's own, and for those behind it."""
        group: list[_AnyWrite] = []
        try:
            with self._mutex:
                durable = any(one.durable for one in self._waiting)
            with _turn(self._file, until), begin(durable) as connection:
                self._writing = threading.get_ident()
                group = self._take(durable)
                if len(group) == 1:
                    group[0].run(connection)
                else:
                    for one in group:
                        one.run_beside_others(connection)
            for one in group:
                one.committed = True
        except DBAPIError as error:
            for one in group:
                one.fail(error)
            raise
        finally:
            self._writing = None
            for one in group:
                one.called.set()

    def _take(self, durable: bool) -> list[_AnyWrite]:
        """The first in line, as many as one transaction may do."""
        group: list[_AnyWrite] = []
        with self._mutex:
            while self._waiting and len(group) < MOST and (durable or not self._waiting[0].durable):
                group.append(self._waiting.popleft())
                group[-1].taken = True
        return group

    def _leave(self, mine: _AnyWrite) -> None:
        """Whatever happened: the next one's turn comes."""
        with self._mutex:
            if mine in self._waiting:
                self._waiting.remove(mine)
            if self._called is mine:
                self._called = None
                self._call_first()

    def _call_first(self) -> None:
        if self._called is None and self._waiting:
            self._called = self._waiting[0]
            self._called.called.set()


_lines: dict[str, Writers] = {}
# A child has its parent's line, but none of the threads that stand in it.
os.register_at_fork(after_in_child=_lines.clear)


def writers_of(database: str) -> Writers:
    """The line of this file: one for all that write to it in this process."""
    found = _lines.get(database)
    # One step, which no other thread comes between, and no lock that a fork would find taken.
    return found or _lines.setdefault(database, Writers(Path(f"{database}-line")))


@contextmanager
def _turn(path: Path, until: float) -> Iterator[None]:
    """Among processes: wait for it, and keep it meanwhile. Raises Unavailable."""
    try:
        file = path.open("ab")
    except OSError as error:
        raise Unavailable("The database cannot be written to.") from error
    with file:  # closing it gives back what is locked, and so does the end of a process that is killed
        _lock(file, _NEXT, until)
        _lock(file, _WRITING, until)
        fcntl.lockf(file, fcntl.LOCK_UN, 1, _NEXT)
        yield


def _lock(file: IO[bytes], byte: int, until: float) -> None:
    pause = _SHORTEST
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            return
        except OSError as error:
            if time.monotonic() > until:
                raise _too_late() from error
        time.sleep(pause)
        pause = min(pause * 1.1, _LONGEST)


def _too_late() -> Unavailable:
    return Unavailable(f"Others have been writing to the database for {PATIENCE:g} seconds.")
