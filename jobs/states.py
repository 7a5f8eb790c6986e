"""The states of a job and its transitions, what decides when a queued one is taken; a network's states."""

from enum import IntEnum, StrEnum


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


class Priority(IntEnum):
    """How urgent a job is, in the eyes of its owner."""

    #: Waits while everybody else gets a few more turns, and not for ever.
    LOW = -1
    NORMAL = 0
    #: Goes a few turns ahead.
    HIGH = 1


class Hold(StrEnum):
    """Why a queued job is not in line."""

    #: Its owner wants it to wait.
    OWNER = "owner"
    #: Enough of its owner's jobs are in line or running; it moves up as those go.
    BEHIND = "behind"
    #: It has asked for other jobs, and waits for them without a worker.
    PARTS = "parts"


class NetworkState(StrEnum):
    """How far an uploaded network has come."""

    #: Its conversion job waits or runs.
    CONVERTING = "converting"
    #: Jobs may name it.
    READY = "ready"
    #: Its file could not be used, or its conversion was stopped.
    FAILED = "failed"
