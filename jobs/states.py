"""The states of a job and the transitions there are."""

from enum import StrEnum


class State(StrEnum):
    """Where a job is in its life."""

    #: Accepted and waiting for a worker, or for its next attempt.
    QUEUED = "queued"
    #: A worker holds its lease.
    RUNNING = "running"
    #: Its outputs are stored. Final.
    SUCCEEDED = "succeeded"
    #: It could not be made; `error` says why. Final.
    FAILED = "failed"
    #: Its owner stopped it. Final.
    CANCELED = "canceled"


#: A job in one of these never changes its state again.
FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELED})

#: from -> to. `running -> queued` is a lost lease, a transient error or a worker that is shutting down;
#: `queued -> failed` is a job whose engine was removed.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.CANCELED, State.FAILED}),
    State.RUNNING: frozenset({State.QUEUED, State.SUCCEEDED, State.FAILED, State.CANCELED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELED: frozenset(),
}
