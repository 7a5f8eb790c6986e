"""Loops without end that end when they are canceled."""

from __future__ import annotations

import asyncio


def canceled() -> bool:
    """Whether the present task was told to end; a loop that waits for Redis asks at every turn.

    Before Python 3.12 asyncio.wait_for loses a cancellation that arrives together with what it waits for
    (python/cpython#86296), and redis-py writes under it: the loop would go on, and the process never end.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
