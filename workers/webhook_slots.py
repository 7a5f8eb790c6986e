"""Who may send how much at once, so that a slow receiver, or an owner of many, does not slow the others.

A host that was slow or gave no answer keeps a few slots until it answers quickly again, and all such hosts
together never get more than a part of them; the rest is for those that answer. An owner's share is bounded
too, for one owner may name any number of hosts.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

TOTAL = 64
PER_HOST = 8
PER_OWNER = 16
#: Of all slow hosts together, and of each.
SLOW_TOTAL = 24
PER_SLOW_HOST = 2
#: Slow hosts remembered; the longest known are forgotten first.
_MOST_SLOW = 10_000


class Slots:
    """The deliveries under way in this process. Any thread may call."""

    def __init__(
        self,
        total: int = TOTAL,
        *,
        per_host: int = PER_HOST,
        per_owner: int = PER_OWNER,
        slow_total: int = SLOW_TOTAL,
        per_slow_host: int = PER_SLOW_HOST,
    ) -> None:
        self.total = total
        self._per_host = per_host
        self._per_owner = per_owner
        self._slow_total = slow_total
        self._per_slow_host = per_slow_host
        self._lock = threading.Lock()
        self._hosts: Counter[str] = Counter()
        self._owners: Counter[str] = Counter()
        self._slow: dict[str, None] = {}
        self._turns: dict[str, int] = {}
        self._turn = 0

    def order(self, hosts: Iterable[str]) -> list[str]:
        """Those with the fewest deliveries under way first, of these the one served longest ago."""
        with self._lock:
            found = list(hosts)
            self._turns = {host: self._turns[host] for host in found if host in self._turns}
            return sorted(found, key=lambda host: (self._hosts[host], self._turns.get(host, 0)))

    def room(self, host: str) -> int:
        """How many deliveries to this host may begin now."""
        with self._lock:
            free = self.total - self._hosts.total()
            if host in self._slow:
                slow = sum(count for name, count in self._hosts.items() if name in self._slow)
                free = min(free, self._slow_total - slow, self._per_slow_host - self._hosts[host])
            return max(0, min(free, self._per_host - self._hosts[host]))

    def crowded(self) -> list[str]:
        """Owners that have their share."""
        with self._lock:
            return [owner for owner, count in self._owners.items() if count >= self._per_owner]

    def take(self, host: str, owner: str) -> None:
        """A delivery begins."""
        with self._lock:
            self._turn += 1
            self._turns[host] = self._turn
            self._hosts[host] += 1
            self._owners[owner] += 1

    def give_back(self, host: str, owner: str, *, slow: bool) -> None:
        """A delivery has ended."""
        with self._lock:
            for counter, name in ((self._hosts, host), (self._owners, owner)):
                counter[name] -= 1
                if not counter[name]:
                    del counter[name]
            self._slow.pop(host, None)
            if slow:
                self._slow[host] = None
                if len(self._slow) > _MOST_SLOW:
                    del self._slow[next(iter(self._slow))]
