"""How a process of ours that is no Celery worker is told to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType


def until_told(run: Callable[[threading.Event], None]) -> None:
    """Call `run` with an event that SIGTERM and Ctrl-C set: then it is to end."""
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    run(ended)
