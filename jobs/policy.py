"""What an owner may have at once and for how long, where their own row says nothing else.

Owner of ATELIER_MAX_RUNNING (jobs of one queue that one owner may have running; default 0: any number),
ATELIER_MAX_QUEUED (jobs that one owner may have waiting; default 20000, 0: any number), ATELIER_MAX_NETWORKS
(networks that one owner may have; default 100, 0: any number), ATELIER_MAX_STORED_BYTES (bytes that one owner
may store; default 50 GiB, 0: any number) and ATELIER_KEEP_DAYS (days that results are kept after their job
ended; default 0: for ever). Set them alike for every process: the API, the workers and
the sweeper all read them.
"""

from __future__ import annotations

import os


def max_running() -> int:
    """Jobs of one queue that an owner may have running at once; 0: any number."""
    return int(os.environ.get("ATELIER_MAX_RUNNING") or 0)


def max_queued() -> int:
    """Jobs that an owner may have waiting; 0: any number."""
    return int(os.environ.get("ATELIER_MAX_QUEUED") or 20_000)


def max_networks() -> int:
    """Networks an owner may have, as they are kept for ever and each may have a gibibyte; 0: any number."""
    return int(os.environ.get("ATELIER_MAX_NETWORKS") or 100)


def max_stored_bytes() -> int:
    """Bytes an owner may store; 0: any number.

    The default is some 8,000 large pictures, and less than any disk that one would give a fleet's objects.
    """
    return int(os.environ.get("ATELIER_MAX_STORED_BYTES") or 50 * 1024**3)


def keep_days() -> float:
    """Days that results are kept after their job ended; 0: for ever."""
    return float(os.environ.get("ATELIER_KEEP_DAYS") or 0)
