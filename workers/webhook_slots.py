"""Who may send how much at once, so that a slow receiver, or an owner of many, does not slow the others.

A host is trusted with many deliveries at once while it answers quickly. Others, new ones and those that were
slow or gave no answer, get a few each and a part of the slots together: the rest is for those that answer. An
owner's share is bounded too, for one owner may name any number of hosts.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

TOTAL = 64
PER_HOST = 8
PER_OWNER = 16
#: Of all hosts together that are not trusted, and of each.
DOUBTFUL = 24
PER_DOUBTFUL_HOST = 2
#: Hosts remembered; those heard of longest ago are forgotten first.
_MOST_TRUSTED = 10_000


class Slots:
    """The deliveries under way in this process. Any thread may call."""

    def __init__(
        self,
        total: int = TOTAL,
        *,
        per_host: int = PER_HOST,
        per_owner: int = PER_OWNER,
        doubtful: int = DOUBTFUL,
        per_doubtful_host: int = PER_DOUBTFUL_HOST,
    ) -> None:
        self.total = total
        self._per_host = per_host
        self._per_owner = per_owner
        self._doubtful = doubtful
        self._per_doubtful_host = per_doubtful_host
        self._lock = threading.Lock()
        self._hosts: Counter[str] = Counter()
        self._owners: Counter[str] = Counter()
        self._trusted: dict[str, None] = {}
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
            if host not in self._trusted:
                others = sum(count for name, count in self._hosts.items() if name not in self._trusted)
                free = min(free, self._doubtful - others, self._per_doubtful_host - self._hosts[host])
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

    def give_back(self, host: str, owner: str, *, quick: bool) -> None:
        """A delivery has ended; `quick` says how it was answered."""
        with self._lock:
            for counter, name in ((self._hosts, host), (self._owners, owner)):
                counter[name] -= 1
                if not counter[name]:
                    del counter[name]
            self._trusted.pop(host, None)
            if quick:
                self._trusted[host] = None
                if len(self._trusted) > _MOST_TRUSTED:
                    del self._trusted[next(iter(self._trusted))]
