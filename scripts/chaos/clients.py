"""The clients: they submit, submit again, cancel. A lost answer is unknown: they ask until they have one."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx

from scripts.chaos.orders import Order, draw

#: Statuses that say "not now".
_AGAIN = (429, 502, 503)
_AT_ONCE = 24
_TIMEOUT = 10.0


class Clients:
    """All the clients of one run. `orders` is what they know."""

    def __init__(
        self,
        bases: Sequence[str],
        keys: Mapping[str, Sequence[str]],
        receiver: str,
        *,
        seed: int,
        per_second: float,
    ) -> None:
        self.orders: list[Order] = []
        self._bases = bases
        self._keys = keys
        self._receiver = receiver
        self._rng = random.Random(f"{seed} orders")
        self._drawn = draw(self._rng)
        self._per_second = per_second
        self._turn = itertools.count()
        self._gave_up = threading.Event()
        self._http = httpx.Client(timeout=_TIMEOUT, limits=httpx.Limits(max_connections=_AT_ONCE * 2))
        self._threads = ThreadPoolExecutor(_AT_ONCE, "client")
        self._under_way: list[Future[None]] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._lock = threading.Lock()

    def run(self, until: float) -> None:
        """Submit until then (monotonic)."""
        due = time.monotonic()
        while (now := time.monotonic()) < until:
            if now >= due:
                order = next(self._drawn)
                self.orders.append(order)
                self._go(lambda order=order: self._submit(order))  # type: ignore[misc]
                due = max(due, now - 2) + self._rng.expovariate(self._per_second)
            self._do_later(now)
            time.sleep(min(max(due - now, 0.0), 0.02))

    def finish(self, until: float) -> None:
        """Do what was planned, and wait for the answers. After `until` (monotonic) nobody asks any more."""
        while (self._later or not all(one.done() for one in self._under_way)) and time.monotonic() < until:
            self._do_later(time.monotonic())
            time.sleep(0.05)
        self._gave_up.set()
        for one in self._under_way:
            one.result()  # a client that broke is a fault of the harness

    def close(self) -> None:
        """Hang up."""
        self._gave_up.set()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._http.close()

    def _go(self, call: Callable[[], None]) -> None:
        self._under_way.append(self._threads.submit(call))

    def _plan(self, seconds: float, call: Callable[[], None]) -> None:
        with self._lock:
            heapq.heappush(self._later, (time.monotonic() + seconds, next(self._turn), call))

    def _do_later(self, now: float) -> None:
        with self._lock:
            due = []
            while self._later and self._later[0][0] <= now:
                due.append(heapq.heappop(self._later)[2])
        for call in due:
            self._go(call)

    def _submit(self, order: Order) -> None:
        answer = self._post(order, "/v1/jobs", json=order.body(self._receiver))
        if answer is None:
            return
        order.job_id = answer["id"]
        if order.cancel_after is not None:
            self._plan(order.cancel_after, lambda: self._cancel(order))
        if order.again_after is not None:
            self._plan(order.again_after, lambda: self._submit_again(order))

    def _submit_again(self, order: Order) -> None:
        answer = self._post(order, "/v1/jobs", json=order.body(self._receiver))
        if answer is not None and answer["id"] != order.job_id:
            order.wrong.append(f"the same request again became another job, {answer['id']}")

    def _cancel(self, order: Order) -> None:
        answer = self._post(order, f"/v1/jobs/{order.job_id}/cancel")
        if answer is not None:
            order.canceled_as, order.canceled_at = answer["state"], time.time()

    def _post(self, order: Order, path: str, **more: Any) -> dict[str, Any] | None:
        """Ask until there is an answer, of whichever API is there; None when the run is over."""
        headers = {
            "Authorization": f"Bearer {self._keys[order.owner][order.key]}",
            "Idempotency-Key": order.idempotency_key,
        }
        while not self._gave_up.is_set():
            base = self._bases[next(self._turn) % len(self._bases)]
            try:
                answer = self._http.post(base + path, headers=headers, **more)
            except httpx.TransportError:
                order.unanswered += 1
            else:
                if answer.is_success:
                    found: dict[str, Any] = answer.json()
                    return found
                if answer.status_code not in _AGAIN:
                    order.wrong.append(f"POST {path} was answered {answer.status_code}: {answer.text[:200]}")
                    return None
            self._gave_up.wait(random.uniform(0.2, 0.8))
        return None
