"""The dispatcher: sends what lies in the outbox, again and again for a day. `python -m workers.webhooks`.

Any number may run; each message is claimed in the database, and one whose dispatcher died is sent by another
when its lease ends. So a receiver hears of everything at least once; the message's id tells repetitions.
"""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial

import structlog
from sqlalchemy.exc import SQLAlchemyError

from jobs.database import Database
from jobs.errors import Unavailable
from jobs.logs import configure_logging
from jobs.pace import paced
from webhooks.addresses import allow_private
from webhooks.deliveries import DeliveryState, DeliveryStore, Due
from workers.outbound import FetchFailed, FetchRefused, Resolver, ssl_context
from workers.told import until_told
from workers.webhook_send import TIMEOUT_SECONDS, Answer, send
from workers.webhook_slots import Slots

_log = structlog.get_logger(__name__)

#: How often an idle dispatcher looks.
POLL_SECONDS = 0.5
#: A busy one lets this pass when something has ended: others end with it, and are replaced in one go.
GATHER_SECONDS = 0.01
#: Longer than a delivery with its report can take; a dispatcher that died keeps its messages for so long.
LEASE_SECONDS = paced(45.0)
#: The pause before the next try: the first, then a multiple of the time gone by, at most the last.
FIRST_SECONDS = paced(5.0)
FACTOR = 3.0
CAP_SECONDS = 3 * 3600.0
#: A receiver's own wish (Retry-After) counts up to this.
MOST_RETRY_AFTER = 3600.0
#: A host that answers within this is trusted with more at once.
QUICK_SECONDS = 1.0


class Dispatcher:
    """One process's part in sending. `run` goes on until told to end; `dispatch` is one pass."""

    def __init__(
        self,
        database: Database,
        *,
        private: bool | None = None,
        slots: Slots | None = None,
        timeout: float = TIMEOUT_SECONDS,
        resolver: Resolver | None = None,
    ) -> None:
        self._store = DeliveryStore(database)
        self._private = allow_private() if private is None else private
        self._slots = slots or Slots()
        self._timeout = timeout
        self._resolver = resolver
        self._ssl = ssl_context()
        self._freed = threading.Event()

    def run(self, ended: threading.Event) -> None:
        """Send until `ended` is set; what is under way then is finished."""
        with ThreadPoolExecutor(self._slots.total, "delivery") as threads:
            while not ended.is_set():
                more = False
                try:
                    more = self.dispatch(threads)
                except (Unavailable, SQLAlchemyError) as error:
                    _log.warning("dispatch_failed", error=str(error))
                if more:
                    self._freed.wait(POLL_SECONDS)
                    ended.wait(GATHER_SECONDS)
                    self._freed.clear()
                else:
                    ended.wait(POLL_SECONDS)

    def dispatch(self, threads: Executor) -> bool:
        """Begin what is due and has room; returns whether there may be more. Raises Unavailable."""
        more = False
        crowded: set[str] = set()
        hosts = self._slots.order(self._store.waiting_hosts())
        while hosts:
            full = set(self._slots.crowded()) - crowded
            if full:
                # One look for all hosts: a claim at each of the thousands that one owner may have named
                # would hold up everybody's messages behind them.
                crowded |= full
                left = set(self._store.waiting_hosts(not_of=sorted(crowded)))
                hosts, more = [host for host in hosts if host in left], True
                continue
            host = hosts.pop(0)
            room = self._slots.room(host)
            taken: list[Due] = []
            if room:
                taken = self._store.claim(host, room, lease_seconds=LEASE_SECONDS, not_of=sorted(crowded))
            for due in taken:
                self._slots.take(due.host, due.owner_id)
                threads.submit(self._deliver, due).add_done_callback(partial(self._ended, due))
            more = more or len(taken) == room
        return more

    def _ended(self, due: Due, delivery: Future[bool]) -> None:
        failure = delivery.exception()
        if failure is not None:
            # It stays leased, and is sent once more.
            _log.error("delivery_broke", delivery_id=due.id, exc_info=failure)
        self._slots.give_back(due.host, due.owner_id, quick=failure is None and delivery.result())
        self._freed.set()

    def _deliver(self, due: Due) -> bool:
        """Send one message and report it; returns whether it was answered quickly."""
        began = time.monotonic()
        answer: Answer | None = None
        error: str | None = None
        try:
            answer = send(
                due,
                allow_private=self._private,
                timeout=self._timeout,
                resolver=self._resolver,
                ssl_context=self._ssl,
            )
        except (FetchRefused, FetchFailed) as failure:
            error = str(failure)
        seconds = time.monotonic() - began
        try:
            self._report(due, answer, error, seconds)
        except (Unavailable, SQLAlchemyError) as failure:
            _log.warning("delivery_not_reported", delivery_id=due.id, error=str(failure))  # as above
        return answer is not None and seconds < QUICK_SECONDS

    def _report(self, due: Due, answer: Answer | None, error: str | None, seconds: float) -> None:
        status = answer.status if answer else None
        # The last try is when its time ends, neither hours before nor after.
        left = due.left - seconds
        pause = min(next_try(due.waited, answer.retry_after if answer else None), left)
        if status is not None and 200 <= status < 300:
            state = DeliveryState.DELIVERED
        elif status == 410 or left < FIRST_SECONDS:
            state = DeliveryState.FAILED
        else:
            state = DeliveryState.PENDING
        if status is not None and state is not DeliveryState.DELIVERED:
            error = _unwelcome(status)
        self._store.report(due, state=state, seconds=seconds, status=status, error=error, again_after=pause)
        # The host and not the URL, which may hold a secret.
        _log.info(
            "delivery_tried",
            delivery_id=due.id,
            job_id=due.job_id,
            attempt=due.number,
            host=due.host,
            state=state.value,
            status=status,
            error=error,
            seconds=round(seconds, 3),
        )


def next_try(waited: float, retry_after: float | None = None) -> float:
    """Seconds until the next try of a message that has been waiting for so long, with jitter."""
    pause = min(max(FIRST_SECONDS, FACTOR * waited), CAP_SECONDS) * random.uniform(0.8, 1.2)
    return max(pause, min(retry_after or 0.0, MOST_RETRY_AFTER))


def _unwelcome(status: int) -> str:
    if status == 410:
        return "The receiver answered 410: it wants no more of this message."
    if 300 <= status < 400:
        return f"The receiver redirects ({status}); only 307 and 308 are followed. Name its final address."
    return f"The receiver answered {status}."


def _dispatch(ended: threading.Event) -> None:
    database = Database(pool_size=8)
    _log.info("dispatcher_started")
    Dispatcher(database).run(ended)
    database.close()


def main() -> None:
    """Run a dispatcher until SIGTERM or Ctrl-C."""
    configure_logging("webhooks")
    until_told(_dispatch)


if __name__ == "__main__":
    main()
