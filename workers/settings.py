"""The timing of leases, and what a worker process is told by its environment.

Owner of ATELIER_QUEUES (default: all), ATELIER_NETWORKS_DIR (where networks that users uploaded are kept, by
all workers of a machine together; default: a folder of this user's below the temporary one),
ATELIER_NETWORKS_BYTES (what these may take; default 2 GiB) and ATELIER_WORKER_ID (default: a new one; the
parent process sets it so that its pool child and its successors report under one name) and ATELIER_CHILD_DIED
(default: no; it tells a child that the one before it died in a job), and of OMP_WAIT_POLICY for its child
processes (default: PASSIVE).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from jobs.pace import paced
from queue_config import QUEUES

#: A worker that is killed loses its job after this time; with the sweep it runs elsewhere a little later.
LEASE_SECONDS = paced(12.0)
RENEW_SECONDS = paced(3.0)
#: How often a running job looks for a cancel request; with the engine's own pause between two progress
#: calls this keeps a cancel under two seconds.
POLL_SECONDS = 0.5
#: Progress is written at most this often.
PROGRESS_SECONDS = 1.0
PREVIEW_SECONDS = 2.0
CHECKPOINT_SECONDS = paced(10.0)
#: A large one is stored less often: between two of them this many times what the first of them took.
CHECKPOINT_REST = 20.0
#: Cut off from the database alone for this long, a worker assumes its job runs elsewhere by now and stops.
#: Until then it goes on: after a database restart it renews its lease and nothing is lost. Either way its
#: writes are fenced.
GIVE_UP_SECONDS = 60.0
#: An engine that has not stopped this long after it was told to is ended with its process.
HARD_STOP_SECONDS = 30.0
#: A parent that is told to shut down waits this long for its child to give the job back.
DRAIN_SECONDS = 12.0
#: It starts the process that frees a killed child's job so long before: on a busy machine it takes a while.
FREER_SECONDS = 6.0
#: And is gone after this, whatever holds it. A spot machine may give 20, and a busy one hears late (5 s).
EXIT_SECONDS = 15.0
#: How long a worker tries to store an output or a final state while the storage or the database is away.
WRITE_PATIENCE_SECONDS = 120.0
#: How often a worker reports that it lives.
REPORT_SECONDS = paced(5.0)
#: How often the sweeper looks.
SWEEP_SECONDS = paced(2.0)
#: A sweeper that just began gives living workers the time between two renewals and this.
MARGIN_SECONDS = paced(2.0)
#: After an outage of the database it takes back no lease for this long.
REUNION_SECONDS = paced(8.0)
#: And believes for this long that a worker it does not hear of has not come back yet.
RETURN_SECONDS = paced(60.0)
#: How often it looks whether somebody's jobs should have moved up.
TOP_UP_SECONDS = paced(10.0)
#: How often it looks for what ages slowly, and how long a job may wait for an engine that nobody has.
FORGET_SECONDS = 600.0
ENGINE_GONE_SECONDS = 3600.0
#: How often it looks for results that were kept long enough.
EXPIRY_SECONDS = 60.0
#: Back-off of transient errors: base * 2^failures, with jitter, at most the cap.
RETRY_BASE_SECONDS = 2.0
RETRY_CAP_SECONDS = 300.0
#: And where a service elsewhere says when to come back, so much of that is believed.
RETRY_AFTER_CAP_SECONDS = 3600.0


def queues() -> tuple[str, ...]:
    """The queues this worker serves."""
    named = os.environ.get("ATELIER_QUEUES", "")
    return tuple(part.strip() for part in named.split(",") if part.strip()) or QUEUES


def networks_dir() -> Path:
    """Where networks that users uploaded are kept on this machine."""
    named = os.environ.get("ATELIER_NETWORKS_DIR")
    return (
        Path(named).expanduser() if named else Path(tempfile.gettempdir()) / f"atelier-networks-{os.getuid()}"
    )


def networks_bytes() -> int:
    """What they may take there; what is in use stays all the same."""
    return int(os.environ.get("ATELIER_NETWORKS_BYTES") or 2 * 2**30)


def worker_id() -> str | None:
    """The id this process's parent gave it, if it has one."""
    return os.environ.get("ATELIER_WORKER_ID")


def is_successor() -> bool:
    """Whether this process takes the place of one that died in a job."""
    return bool(os.environ.get("ATELIER_CHILD_DIED"))


def hand_down_death() -> None:
    """Tell the child that is started next that the one before it died in a job."""
    os.environ["ATELIER_CHILD_DIED"] = "1"


def hand_down(worker_id: str, queues: tuple[str, ...]) -> None:
    """Tell the processes this one starts who they are, and how to wait."""
    # OpenMP's threads spin while they wait; beside anything else that computes, a neural style job then takes
    # 2.5 to 5 times as long (docs/benchmarks.md). Read by torch when it is imported, in the child.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["ATELIER_WORKER_ID"] = worker_id
    os.environ.pop("ATELIER_CHILD_DIED", None)
    os.environ["ATELIER_QUEUES"] = ",".join(queues)
