"""What is done again and again: each chore at its own pace, and the failure of one is no other's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

_log = structlog.get_logger(__name__)


@dataclass
class Chore:
    """`do` is called `every` so many seconds, or in the next pass when it says that there is more."""

    name: str
    #: 0: in every pass.
    every: float
    do: Callable[[], bool | None]
    #: When it is due, by `clock`.
    due: float = 0.0
    failures: int = 0

    def put_off(self, seconds: float) -> None:
        """Not before so many seconds from now."""
        self.due = max(self.due, clock() + seconds)


def do_due(chores: Iterable[Chore]) -> None:
    """One pass, in the given order. A chore that fails is counted, logged, and due again in the next pass.

    Raises Unavailable: the database is away, which is no chore's failure and would be every other one's.
    """
    for chore in chores:
        if clock() < chore.due:
            continue
        try:
            more = chore.do()
        except SQLAlchemyError as error:
            chore.failures += 1
            _log.warning("chore_failed", chore=chore.name, failures=chore.failures, error=str(error))
        else:
            if not more:
                chore.due = clock() + chore.every


def clock() -> float:
    """Seconds that go on while the machine sleeps, where the system can tell."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
