"""Wrong keys are slowed, by the address they come from: each costs a look into the database.

Nobody with a good key is: it is looked up all the same. Behind a proxy all strangers are one address, and
share its budget; there is nothing to guess among 256 random bits anyway.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from jobs.errors import RateLimited

#: Wrong keys that an address may send at once, and how many more a second.
BURST = 30.0
PER_SECOND = 0.5
#: Addresses remembered; a flood from made-up ones costs no more memory than this.
CAPACITY = 10_000


class Strangers:
    """What is left of each address's budget. Shared by the threads of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        #: When its budget would be full again.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wrong(self, address: str) -> None:
        """Count a wrong key. Raises RateLimited when there were too many."""
        network = _network(address)
        now = self._clock()
        with self._lock:
            full_at = max(self._full_at.get(network, now), now) + 1 / PER_SECOND
            over = (full_at - now) - BURST / PER_SECOND
            if over > 0:
                raise RateLimited(
                    "Too many requests with wrong keys came from your address.", retry_after=math.ceil(over)
                )
            self._full_at[network] = full_at
            self._full_at.move_to_end(network)
            while len(self._full_at) > CAPACITY:
                self._full_at.popitem(last=False)


def _network(address: str) -> str:
    """The address, or of IPv6 the network that one customer is given: they have 2**64 addresses."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""  # a UNIX socket's peer
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
