"""How fast the house's clocks run: everything that is waited out is divided by this. 1, but in tests.

Owner of ATELIER_PACE (default 1; a number from 1 to 20, the same for every process of a house). It divides
what is waited for though everybody is well: leases, reports, sweeps, pauses. It does not divide how long a
slow machine may take for its work before it is given up: a test's machine is a slow one.
"""

from __future__ import annotations

import os

_MOST = 20.0


def parse(text: str) -> float:
    """The pace that a text names. Raises ValueError."""
    try:
        pace = float(text or 1)
    except ValueError:
        pace = 0.0
    if not 1 <= pace <= _MOST:
        raise ValueError(f"ATELIER_PACE is a number from 1 to {_MOST:.0f}, not {text!r}.")
    return pace


#: This process's.
PACE = parse(os.environ.get("ATELIER_PACE", ""))


def paced(seconds: float) -> float:
    """So many seconds, at this process's pace."""
    return seconds / PACE
