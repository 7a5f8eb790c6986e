"""An engine by its name, or a word about which there are."""

from __future__ import annotations

import engines
from accept.hints import hint
from engines.base import EngineSpec
from jobs.errors import EngineNotFound


def find_engine(name: str) -> EngineSpec:
    """Raises EngineNotFound, which names the one that was probably meant."""
    try:
        return engines.spec(name)
    except KeyError:
        near = hint(name, (known for known in engines.names() if not engines.spec(known).converts_to))
        raise EngineNotFound(f"{EngineNotFound.__doc__}{near}") from None
