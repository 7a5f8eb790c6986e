"""What holds for an owner."""

from __future__ import annotations

from dataclasses import dataclass

from jobs import policy
from jobs.rows import UserRow


@dataclass(frozen=True)
class Limits:
    """What holds for an owner: what their row says, and the server's defaults for the rest. 0: no limit."""

    max_running: int
    max_queued: int
    keep_days: float
    max_stored_bytes: int


def limits_of(owner: UserRow) -> Limits:
    """The limits that hold for the owner in this row of `users`."""
    return Limits(
        max_running=policy.max_running() if owner.max_running is None else owner.max_running,
        max_queued=policy.max_queued() if owner.max_queued is None else owner.max_queued,
        keep_days=policy.keep_days() if owner.keep_days is None else owner.keep_days,
        max_stored_bytes=(
            policy.max_stored_bytes() if owner.max_stored_bytes is None else owner.max_stored_bytes
        ),
    )
