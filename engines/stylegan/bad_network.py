"""What is raised for a network file that cannot be used, and how names out of such a file may be quoted."""

from __future__ import annotations

import re

from engines.base import EngineError

_QUOTED = 60


class BadNetwork(EngineError):
    """This file is not a network that can be used; a second try would fail the same way."""

    code = "bad_network"


def clean(name: str) -> str:
    """A name from a stranger's file, fit for a message: a few plain characters and nothing else."""
    short = re.sub(r"[^A-Za-z0-9_.\-]", "?", name[:_QUOTED])
    return short + "..." if len(name) > _QUOTED else short
