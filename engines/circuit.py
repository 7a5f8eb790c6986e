"""When not to ask a service any more: after failures in a row it is left alone for a while, then tried once.

closed      ask
open        after FAILURES in a row within WITHIN seconds: nobody asks, until a pause has gone by
half open   then one call tries; it closes the circuit, or opens it for a pause that is twice as long
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from engines.base import Away, EngineError, Transient

FAILURES, WITHIN = 5, 60.0
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 600.0
#: When to come back who meets another one's try.
_SOON = 5.0

_log = structlog.get_logger(__name__)


class Circuit:
    """Of one service, shared by the threads of a process."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        #: When the last calls failed, one after the other.
        self._failed: deque[float] = deque(maxlen=FAILURES)
        #: Of the last opening, in seconds; 0 while it is closed.
        self._pause = 0.0
        self._until = 0.0
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether nobody is to ask now."""
        with self._lock:
            return self._pause > 0 and self._clock() < self._until

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call: Transient says that the service failed, every other end that it is there.

        Raises Away where it is not to be asked now. A call that is given up says nothing.
        """
        is_try = self._admit()
        try:
            yield
        except Transient as error:
            self._fail(is_try, error.retry_after if isinstance(error, Away) else None)
            raise
        except EngineError:
            self._answered()
            raise
        except BaseException:
            self._let_go(is_try)
            raise
        else:
            self._answered()

    def _admit(self) -> bool:
        """Whether the call is the one that tries."""
        with self._lock:
            if not self._pause:
                return False
            left = self._until - self._clock()
            if left <= 0 and not self._trying:
                self._trying = True
                return True
        raise Away(
            f"The service {self._name} did not answer several times in a row and is left alone for a while.",
            retry_after=max(left, _SOON),
        )

    def _fail(self, is_try: bool, retry_after: float | None) -> None:
        with self._lock:
            now = self._clock()
            self._failed.append(now)
            if is_try:
                self._trying = False
                self._open(now, 2 * self._pause, retry_after)
            elif not self._pause and len(self._failed) == FAILURES and now - self._failed[0] <= WITHIN:
                self._open(now, FIRST_PAUSE, retry_after)

    def _open(self, now: float, pause: float, retry_after: float | None) -> None:
        self._pause = min(max(pause, retry_after or 0.0), LONGEST_PAUSE)
        self._until = now + self._pause
        _log.warning("service_left_alone", service=self._name, seconds=round(self._pause, 1))

    def _answered(self) -> None:
        with self._lock:
            if self._pause:
                _log.info("service_is_back", service=self._name)
            self._failed.clear()
            self._pause, self._trying = 0.0, False

    def _let_go(self, is_try: bool) -> None:
        with self._lock:
            self._trying = self._trying and not is_try
