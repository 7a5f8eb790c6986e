"""How many examples Hypothesis tries: a third in an ordinary run, all with ATELIER_TEST_EXAMPLES=all.

An ordinary run draws others each time, so some runs see as much as one that tries all. Before a release, and
once a night where there are nights, all are tried.
"""

from __future__ import annotations

import os

#: So many are tried at least, of those asked for.
_FEW = 8


def examples(asked: int) -> int:
    """How many of so many."""
    if os.environ.get("ATELIER_TEST_EXAMPLES") == "all":
        return asked
    return max(asked // 3, min(asked, _FEW))
